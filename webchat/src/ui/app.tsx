// The frame: signing in, or sidebar and conversation.
import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import * as agents from '../core/agents';
import { words } from '../core/api';
import { may, phase } from '../core/auth';
import { page } from '../core/route';
import * as chat from '../core/chat';
import { sessions, titleOf, UNTITLED } from '../core/sessions';
import { Conversation } from './conversation';
import { NewAgent } from './newagent';
import { Page } from './pages';
import { Sidebar } from './sidebar';
import { SignIn, Unreachable } from './signin';
import { covered, drawer, focus, making, narrow } from './view';

function keys(e: KeyboardEvent) {
	if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') {
		e.preventDefault();
		drawer.value = true;
		focus('search');
	} else if (e.key === 'Escape' && drawer.value && narrow.value) {
		drawer.value = false;
		focus('menu');
	} else if (e.key === 'Escape' && chat.busy.value && page.value === 'chat' && !document.querySelector('dialog[open]')) {
		void chat.stop();
	}
}

function Main() {
	const problem = useSignal('');
	async function load() {
		problem.value = '';
		try {
			await agents.load();
			await agents.follow();
		} catch (e) {
			problem.value = words(e);
		}
	}
	useEffect(() => {
		void load();
		addEventListener('keydown', keys);
		return () => {
			removeEventListener('keydown', keys);
			agents.loaded.value = false;
			chat.close();
		};
	}, []);
	useSignalEffect(() => {
		if (page.value !== 'chat') return;
		const a = agents.agent.value, s = sessions.value.find((x) => x.session_id === chat.sessionId.value);
		const title = titleOf(s);
		document.title = a ? `${title === UNTITLED ? '' : `${title} · `}${a.name} · LibreFang` : 'LibreFang';
	});
	return (
		<>
			{page.value === 'chat' && may('user') && <a class="skip" href="#box" onClick={(e) => { e.preventDefault(); focus('box'); }}>Skip to the message box</a>}
			<div class={`frame${covered.value ? ' covered' : ''}`}>
				<Sidebar />
				{covered.value && <div class="veil" onClick={() => { drawer.value = false; }} />}
				{page.value === 'chat' ? <Conversation problem={problem.value} again={load} /> : <Page />}
			</div>
			{making.value && <NewAgent />}
			<p class="away" role="status" aria-live="polite">{chat.heard.value}</p>
		</>
	);
}

export function App() {
	if (phase.value === 'starting') return <div class="starting" aria-busy="true"><span class="away">Loading</span></div>;
	if (phase.value === 'unreachable') return <Unreachable />;
	return phase.value === 'signin' ? <SignIn /> : <Main />;
}
