// The conversation: its head, what was said, and the box to say more.
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import * as agents from '../core/agents';
import { put, words } from '../core/api';
import { may } from '../core/auth';
import * as chat from '../core/chat';
import { sessions, titleOf, UNTITLED } from '../core/sessions';
import { link } from '../core/socket';
import { Avatar } from './avatar';
import { Composer } from './composer';
import { sentence } from './format';
import { Icon } from './icons';
import { Message } from './message';
import { covered, drawer, focus, making } from './view';

function Head() {
	const a = agents.agent.value;
	const title = titleOf(sessions.value.find((s) => s.session_id === chat.sessionId.value));
	return (
		<header class="head">
			<button type="button" id="menu" class="quiet square only-narrow" aria-label="Open the menu" aria-expanded={covered.value} onClick={() => { drawer.value = true; focus('agent-button'); }}><Icon name="menu" /></button>
			<div class="what">
				<h1>{a ? (title === UNTITLED ? a.name : title) : 'LibreFang'}</h1>
				{a && <p class="soft">{title === UNTITLED ? '' : `${a.name} · `}{a.model_provider === a.model_name ? a.model_name : `${a.model_provider} / ${a.model_name}`}</p>}
			</div>
			{may('user') && <button type="button" class="quiet square only-narrow" aria-label="New chat" disabled={!a} onClick={() => void agents.newChat().then(() => focus('box'))}><Icon name="plus" /></button>}
		</header>
	);
}

// --- before the first word -------------------------------------------------------------

const OFFLINE = ['What time is it?', 'remember tea = green, no sugar', 'list files'];
const MODEL = ['What can you do for me?', 'What do you remember about me?', 'Which tools do you have?'];

function Empty() {
	const a = agents.agent.value;
	if (!a) return null;
	const offline = a.model_provider === 'offline';
	return (
		<div class="empty">
			<Avatar agent={a} large />
			<h2>Talk with {a.name}</h2>
			{a.description && <p class="soft">{a.description}</p>}
			{may('user') && <ul class="chips" aria-label="Suggestions">
				{(offline ? OFFLINE : MODEL).map((s) => <li key={s}><button type="button" onClick={() => { void chat.ask(s); focus('box'); }}>{s}</button></li>)}
			</ul>}
			{offline && <p class="soft small">No model provider is set up, so the built-in offline engine answers. It follows a few fixed rules and uses real tools. {may('admin') && <a href="#/models">Connect a provider</a>}</p>}
		</div>
	);
}

function Nobody() {
	return (
		<div class="empty">
			<h2>No agents yet</h2>
			<p class="soft">An agent has a name, a purpose and a memory of its own.</p>
			{may('admin') && <button type="button" class="solid" onClick={() => { making.value = true; }}>Create an agent</button>}
		</div>
	);
}

// --- what was said ------------------------------------------------------------------------

function Log() {
	const box = useRef<HTMLDivElement>(null);
	const away = useSignal(false);
	const stick = useRef(true);
	const list = chat.items.value, session = chat.sessionId.value;
	const bottom = (smooth?: boolean) => {
		stick.current = true;
		box.current?.scrollTo({ top: box.current.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
	};
	useLayoutEffect(() => { bottom(); }, [session]);
	useLayoutEffect(() => {
		if (stick.current || list.at(-1)?.parts.length === 0) bottom();
	}, [list]);
	// colours, pictures and opened tools make the page longer later
	useEffect(() => {
		const seen = new ResizeObserver(() => { if (stick.current) bottom(); });
		for (const el of [box.current, box.current?.firstElementChild]) if (el) seen.observe(el);
		return () => seen.disconnect();
	}, []);
	function scrolled() {
		const b = box.current!;
		stick.current = b.scrollHeight - b.scrollTop - b.clientHeight < 60;
		away.value = !stick.current;
	}
	const question = chat.lastQuestion.value;
	return (
		<div class="log-wrap">
			<div class="log" ref={box} onScroll={scrolled} role="region" aria-label="Conversation" tabIndex={0} aria-busy={chat.loading.value}>
				<div class="column">
					{list.map((i, at) => <Message key={i.key} item={i} agent={agents.agent.value} last={at === list.length - 1} asked={i === question} busy={chat.busy.value} />)}
					{!list.length && !chat.loading.value && !chat.trouble.value && chat.sessionId.value && <Empty />}
					{agents.loaded.value && !agents.agents.value.length && <Nobody />}
				</div>
			</div>
			{away.value && <button type="button" class="to-end" onClick={() => bottom(true)}><Icon name="arrow" /><span>Latest</span></button>}
		</div>
	);
}

// --- when something is not as it should be ---------------------------------------------------

function Notice({ problem, again }: { problem: string; again: () => void }) {
	const a = agents.agent.value;
	let text = problem || chat.trouble.value, act: (() => void) | null = problem ? again : null;
	if (!problem && chat.trouble.value) act = () => void chat.open(chat.agentId.value, chat.sessionId.value);
	if (!text && link.value === 'offline' && chat.agentId.value) text = 'Offline. The page connects again by itself.';
	const keyless = !text && a?.auth_status === 'missing';
	if (keyless) text = `The provider ${a.model_provider} has no key yet, so ${a.name} cannot answer.`;
	const rests = !text && a?.state === 'Suspended';
	if (rests) text = `${a.name} is at rest and does not answer.`;
	const wake = async () => {
		try {
			await put(`/api/agents/${a!.id}/resume`);
			await agents.load();
		} catch (e) {
			chat.trouble.value = words(e);
		}
	};
	return (
		<div role="alert" class="notices">
			{text && <p class="notice"><Icon name="alert" /><span>{sentence(text)}</span>{act && <button type="button" class="plain" onClick={act}>Try again</button>}{keyless && may('admin') && <a class="plain" href="#/models">Connect it</a>}
				{rests && may('admin') && <button type="button" class="plain" onClick={() => void wake()}>Wake it</button>}</p>}
		</div>
	);
}

export function Conversation({ problem, again }: { problem: string; again: () => void }) {
	return (
		<main class="main" inert={covered.value}>
			<Head />
			<Log />
			<div class="below column">
				<Notice problem={problem} again={again} />
				<Composer key={chat.sessionId.value} />
			</div>
		</main>
	);
}
