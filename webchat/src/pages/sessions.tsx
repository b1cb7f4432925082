// The conversations of all agents.
import { useRef, useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { call, del, post, put } from '../core/api';
import { may } from '../core/auth';
import * as chat from '../core/chat';
import { searchPath, type Hit } from '../core/search';
import * as kept from '../core/sessions';
import type { Page } from '../core/types';
import { Avatar } from '../ui/avatar';
import { count, money, sentence, tokens, when } from '../ui/format';
import { Icon } from '../ui/icons';
import { Act, Dialog, Field, Frame, Said, Search, Shown, useFollow, useLoad, useRested, useWork } from '../ui/kit';
import { save } from '../ui/save';

interface Row {
	session_id: string; agent_id: string; message_count: number; created_at: string; label: string | null;
	cost_usd: number; total_tokens: number; active: boolean;
}

const STEP = 50, MOST = 500;
const agentOf = (id: string) => agents.agents.value.find((a) => a.id === id);
const titleOf = (s: Row) => s.label || kept.UNTITLED;

// The sidebar shows the same conversations.
async function refresh(agentId: string) {
	if (agentId === chat.agentId.value) await kept.refresh(agentId);
}

function Rename({ s, onClose, again }: { s: Row; onClose: () => void; again: () => Promise<void> }) {
	const work = useWork();
	const [label, setLabel] = useState(s.label ?? '');
	return (
		<Dialog title="Name the conversation" onClose={onClose} work={work} act="Save" onAct={async () => {
			await put(`/api/sessions/${s.session_id}/label`, { label: label.trim() || null });
			await Promise.all([again(), refresh(s.agent_id)]);
		}}>
			<Field name="Name" note="Letters, digits, blanks, - and _. Empty: its first question.">{(id, note) => <input id={id} aria-describedby={note} maxLength={128} autocomplete="off" value={label} onInput={(e) => setLabel(e.currentTarget.value)} />}</Field>
		</Dialog>
	);
}

function Delete({ s, onClose, again }: { s: Row; onClose: () => void; again: () => Promise<void> }) {
	const work = useWork();
	return (
		<Dialog title="Delete this conversation?" onClose={onClose} work={work} act="Delete for good" doing="Deleting…" bad onAct={async () => {
			await del(`/api/sessions/${s.session_id}`);
			await Promise.all([again(), refresh(s.agent_id)]);
			if (chat.sessionId.value === s.session_id) await agents.show(s.agent_id, undefined, true);
		}}>
			<p>“{titleOf(s)}”, {count(s.message_count, 'message')}. This cannot be undone.</p>
		</Dialog>
	);
}

function Import({ onClose, again }: { onClose: () => void; again: () => Promise<void> }) {
	const work = useWork(), file = useRef<HTMLInputElement>(null);
	const [agent, setAgent] = useState(chat.agentId.value);
	const [chosen, setChosen] = useState(false);
	return (
		<Dialog title="Import a conversation" onClose={onClose} work={work} act="Import" doing="Importing…" off={!chosen || !agent} onAct={async () => {
			let body: Record<string, unknown>;
			try {
				body = JSON.parse(await file.current!.files![0]!.text());
			} catch {
				throw new Error('This file is no exported conversation');
			}
			await post(`/api/agents/${agent}/sessions/import`, { ...body, agent_id: '' });
			await Promise.all([again(), refresh(agent)]);
		}}>
			<Field name="File" note="As “Export” saved it.">{(id, note) => <input id={id} aria-describedby={note} ref={file} type="file" accept=".json,application/json" onChange={(e) => setChosen(!!e.currentTarget.files?.length)} />}</Field>
			<Field name="For which agent">{(id) => (
				<select id={id} value={agent} onInput={(e) => setAgent(e.currentTarget.value)}>
					{agents.agents.value.map((a) => <option key={a.id} value={a.id}>{a.name}</option>)}
				</select>
			)}</Field>
		</Dialog>
	);
}

function Line({ s, around, again }: { s: Row; around?: string; again: () => Promise<void> }) {
	const a = agentOf(s.agent_id), work = useWork(), title = titleOf(s);
	const [asked, ask] = useState<'name' | 'delete' | null>(null);
	const close = () => ask(null);
	const out = () => void work.run(async () => {
		const r = await call('GET', `/api/agents/${s.agent_id}/sessions/${s.session_id}/export`);
		save(`${(a?.name ?? 'agent').replace(/[^\w-]+/g, '_')}-${s.session_id.slice(0, 8)}.json`, await r.blob());
	});
	const stop = () => void work.run(async () => {
		const r = await post<{ stopped: boolean }>(`/api/agents/${s.agent_id}/sessions/${s.session_id}/stop`);
		await again();
		return r.stopped ? 'Stopped.' : 'It had ended already.';
	});
	return (
		<li class="line">
			<Avatar agent={a} />
			<div class="line-what">
				<p>{a ? <a href={`#/${s.agent_id}/${s.session_id}`}><strong>{title}</strong></a> : <strong>{title}</strong>} {s.active && <span class="badge is-good">working</span>}</p>
				{around && <p class="soft small">{around}</p>}
				<p class="soft small facts">
					<span>{a?.name ?? 'an agent that is gone'}</span>
					<span>{when(s.created_at)}</span>
					<span>{count(s.message_count, 'message')}</span>
					{s.total_tokens > 0 && <span>{tokens(s.total_tokens)} tokens</span>}
					{s.cost_usd > 0 && <span>{money(s.cost_usd)}</span>}
				</p>
			</div>
			<div class="line-acts">
				<div class="icons" role="group" aria-label={`What to do with “${title}”`}>
					{s.active && a && <a class="quiet square" href={`#/${s.agent_id}/${s.session_id}`} title="Watch" aria-label="Watch"><Icon name="eye" /></a>}
					{s.active && may('user') && <Act icon="stop" name="Stop" onClick={stop} />}
					{may('admin') && <Act icon="edit" name="Name" onClick={() => ask('name')} />}
					{a && <Act icon="load" name="Export" onClick={out} />}
					{may('admin') && <Act icon="trash" name="Delete" onClick={() => ask('delete')} />}
				</div>
				<Said work={work} />
				{asked === 'name' && <Rename s={s} onClose={close} again={again} />}
				{asked === 'delete' && <Delete s={s} onClose={close} again={again} />}
			</div>
		</li>
	);
}

// One that is older than those that were listed: all that is known of it is what was found.
function Old({ hit }: { hit: Hit }) {
	const a = agentOf(hit.agent_id);
	return (
		<li class="line">
			<Avatar agent={a} />
			<div class="line-what">
				<p>{a ? <a href={`#/${hit.agent_id}/${hit.session_id}`}>{hit.snippet}</a> : hit.snippet}</p>
				<p class="soft small">{a?.name ?? 'an agent that is gone'}</p>
			</div>
		</li>
	);
}

export function Sessions() {
	const [query, setQuery] = useState('');
	const [limit, setLimit] = useState(STEP);
	const [importing, setImporting] = useState(false);
	const q = useRested(query.trim());
	const list = useLoad<Page<Row>>(`/api/sessions?limit=${q ? MOST : limit}`);
	useFollow(list, (page) => page.items.some((s) => s.active));
	const hits = useLoad<{ items: Hit[] }>(q ? searchPath(q) : null);
	return (
		<Frame title="Sessions" acts={may('admin') && <button type="button" class="plain" onClick={() => setImporting(true)}><Icon name="lift" /><span>Import</span></button>}>
			<Search value={query} name="Search all conversations" onInput={setQuery} />
			<div role="alert">{q && hits.problem && <p class="problem"><Icon name="alert" /><span>{sentence(hits.problem)}</span></p>}</div>
			<Shown of={list} what="Sessions">{(page) => {
				const said = q && hits.data?.items || [], around = new Map(said.map((h) => [h.session_id, h.snippet]));
				const old = said.filter((h) => !page.items.some((s) => s.session_id === h.session_id));
				const found = q ? page.items.filter((s) => around.has(s.session_id) || `${titleOf(s)} ${agentOf(s.agent_id)?.name ?? ''}`.toLowerCase().includes(q.toLowerCase())) : page.items;
				return (
					<>
						<p class="soft small" role="status">{count(q ? found.length + old.length : page.total, 'conversation')}{q ? ' found' : ''}</p>
						<ul class="lines">{found.map((s) => <Line key={s.session_id} s={s} around={around.get(s.session_id)} again={list.again} />)}{old.map((h) => <Old key={h.session_id} hit={h} />)}</ul>
						{!q && page.items.length < page.total && <button type="button" class="plain more" onClick={() => setLimit(limit + STEP)}>Show more</button>}
					</>
				);
			}}</Shown>
			{importing && <Import onClose={() => setImporting(false)} again={list.again} />}
		</Frame>
	);
}
