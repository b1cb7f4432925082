// Who to talk with, and what was talked about.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import * as agents from '../core/agents';
import { may, open, signOut } from '../core/auth';
import * as chat from '../core/chat';
import { page, path, type PageName } from '../core/route';
import { around, found, problem, query, seek, sessions, titleOf } from '../core/sessions';
import { link } from '../core/socket';
import type { Agent, SessionItem } from '../core/types';
import { Avatar } from './avatar';
import { clock, dayOf, sentence } from './format';
import { Icon, Mark, type IconName } from './icons';
import { PAGE_NAMES } from './pages';
import { drawer, focus, making, narrow, nextTheme, theme } from './view';

function closeDrawer() {
	drawer.value = false;
	if (!narrow.value) focus('box');
}

// --- agents ---------------------------------------------------------------------

function Picker() {
	const shown = useSignal(false), filter = useSignal('');
	const a = agents.agent.value;
	const q = filter.value.trim().toLowerCase();
	const list = agents.agents.value.filter((x) => !q || x.name.toLowerCase().includes(q));
	const close = (to?: string) => {
		shown.value = false;
		filter.value = '';
		if (to) focus(to);
	};
	useEffect(() => {
		if (shown.value) focus(agents.agents.value.length > 7 ? 'agent-filter' : 'agent-now');
	}, [shown.value]);
	function pick(x: Agent) {
		close();
		closeDrawer();
		void agents.show(x.id);
	}
	return (
		<div class="picker" onKeyDown={(e) => {
			if (e.key !== 'Escape' || !shown.value) return;
			e.stopPropagation();
			close('agent-button');
		}}>
			<button type="button" id="agent-button" class="agent-button" aria-expanded={shown.value} aria-controls="agent-list" onClick={() => { shown.value = !shown.value; }}>
				<Avatar agent={a} />
				<span class="who"><strong>{a?.name ?? 'No agent'}</strong><span class="soft">{a ? a.model_name : 'Pick or create one'}</span></span>
				<span class="away">Change agent</span>
				<Icon name="down" />
			</button>
			{shown.value && (
				<div id="agent-list" class="agent-list">
					{agents.agents.value.length > 7 && <input id="agent-filter" type="search" placeholder="Filter agents" aria-label="Filter agents" value={filter.value} onInput={(e) => { filter.value = e.currentTarget.value; }} />}
					<ul>
						{list.map((x) => (
							<li key={x.id}>
								<button type="button" id={x.id === a?.id ? 'agent-now' : undefined} aria-current={x.id === a?.id ? 'true' : undefined} onClick={() => pick(x)}>
									<Avatar agent={x} />
									<span class="who"><strong>{x.name}</strong><span class="soft">{x.description || x.model_name}</span></span>
									{x.id === a?.id && <Icon name="check" />}
								</button>
							</li>
						))}
					</ul>
					{may('admin') && <button type="button" class="row" onClick={() => { close(); making.value = true; }}><Icon name="plus" /><span>New agent</span></button>}
				</div>
			)}
		</div>
	);
}

// --- conversations ----------------------------------------------------------------

function Row({ s }: { s: SessionItem }) {
	const now = s.session_id === chat.sessionId.value && page.value === 'chat';
	return (
		<li>
			<button type="button" class="row session" aria-current={now ? 'page' : undefined} onClick={() => {
				closeDrawer();
				if (!now) void agents.show(chat.agentId.value, s.session_id);
			}}>
				<span class="title">{titleOf(s)}{query.value && around(s.session_id) && <span class="soft small">{around(s.session_id)}</span>}</span>
				{s.active ? <span class="pulse"><span class="away">working</span></span>
					: <time dateTime={s.created_at}>{dayOf(s.created_at) === 'Today' ? clock(s.created_at) : ''}</time>}
			</button>
		</li>
	);
}

function Sessions() {
	const groups: [string, SessionItem[]][] = [];
	for (const s of found.value) {
		if (s.message_count === 0 && s.session_id !== chat.sessionId.value && !s.active) continue;
		const day = dayOf(s.created_at);
		if (groups.at(-1)?.[0] !== day) groups.push([day, []]);
		groups.at(-1)![1].push(s);
	}
	return (
		<nav class="sessions" aria-label="Conversations" tabIndex={-1}>
			{groups.map(([day, list]) => (
				<section key={day}>
					<h3>{day}</h3>
					<ul>{list.map((s) => <Row key={s.session_id} s={s} />)}</ul>
				</section>
			))}
			<div role="alert">{problem.value && <p class="problem"><Icon name="alert" /><span>{sentence(problem.value)}</span></p>}</div>
			{!groups.length && <p class="soft none">{query.value ? 'Nothing found.' : sessions.value.length ? 'No conversations yet.' : ''}</p>}
		</nav>
	);
}

// --- other pages ---------------------------------------------------------------------

const PAGE_ICONS: Record<PageName, IconName> = { agents: 'people', sessions: 'chats', models: 'chip', usage: 'chart' };

function Pages() {
	return (
		<nav class="pages" aria-label="Pages">
			{(Object.keys(PAGE_NAMES) as PageName[]).map((p) => (
				<a key={p} class="row" href={`#/${p}`} aria-current={page.value === p ? (path.value.length > 1 ? 'true' : 'page') : undefined} onClick={() => { drawer.value = false; }}>
					<Icon name={PAGE_ICONS[p]} /><span>{PAGE_NAMES[p]}</span>
				</a>
			))}
		</nav>
	);
}

// --- the foot -----------------------------------------------------------------------

const LINK_TEXT = { connecting: 'Connecting…', online: 'Connected', stream: 'Connected, without live channel', offline: 'Offline' };
const THEMES: Record<string, [IconName, string]> = { auto: ['auto', "the system's colours"], light: ['sun', 'light colours'], dark: ['moon', 'dark colours'] };

function Foot() {
	const [icon, name] = THEMES[theme.value]!;
	return (
		<footer>
			<p class={`link is-${link.value}`} role="status"><span class="dot" aria-hidden="true" />{!chat.agentId.value ? '' : may('user') ? LINK_TEXT[link.value] : 'Reading along'}</p>
			<button type="button" class="quiet square" title={`Now: ${name}`} aria-label={`Colours: ${name}. Change`} onClick={nextTheme}><Icon name={icon} /></button>
			{!open.value && <button type="button" class="quiet square" title="Sign out" aria-label="Sign out" onClick={signOut}><Icon name="leave" /></button>}
		</footer>
	);
}

export function Sidebar() {
	return (
		<aside class="sidebar" aria-label="Agents and conversations">
			<div class="brand">
				<Mark /><span>LibreFang</span>
				<button type="button" class="quiet square only-narrow" aria-label="Close the menu" onClick={() => { drawer.value = false; focus('menu'); }}><Icon name="cross" /></button>
			</div>
			<Picker />
			{may('user') && <button type="button" class="row new" disabled={!chat.agentId.value} onClick={() => { closeDrawer(); void agents.newChat().then(() => focus('box')); }}>
				<Icon name="plus" /><span>New chat</span>
			</button>}
			<div class="search">
				<Icon name="search" />
				<input id="search" type="search" placeholder="Search conversations" aria-label="Search conversations" value={query.value} onInput={(e) => seek(chat.agentId.value, e.currentTarget.value)} />
			</div>
			<Sessions />
			<Pages />
			<Foot />
		</aside>
	);
}
