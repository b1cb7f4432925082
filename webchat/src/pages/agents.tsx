// All agents, and one of them: #/agents, #/agents/ID/PART.
import { useState } from 'preact/hooks';
import { may } from '../core/auth';
import { path } from '../core/route';
import type { Agent, Page } from '../core/types';
import { Avatar } from '../ui/avatar';
import { count, money, when } from '../ui/format';
import { Icon } from '../ui/icons';
import { Frame, Search, Shown, useLoad, useRested } from '../ui/kit';
import { making } from '../ui/view';
import { AgentPage } from './agent';
import { AgentActs, State } from './agentacts';

const STEP = 50;

function Row({ a, again }: { a: Agent; again: () => Promise<void> }) {
	const model = a.model_provider === a.model_name ? a.model_name : `${a.model_provider} / ${a.model_name}`;
	return (
		<li class="line">
			<Avatar agent={a} />
			<div class="line-what">
				<p><a href={`#/agents/${a.id}`}><strong>{a.name}</strong></a> <State agent={a} /></p>
				{a.description && <p class="soft cut">{a.description}</p>}
				<p class="soft small facts">
					<span>{model}</span>
					{a.sessions_24h ? <span>{count(a.sessions_24h, 'conversation')} today</span> : null}
					{a.cost_24h ? <span>{money(a.cost_24h)} today</span> : null}
					{a.last_active && <span>active {when(a.last_active)}</span>}
				</p>
			</div>
			<AgentActs agent={a} again={again} />
		</li>
	);
}

function List() {
	const [query, setQuery] = useState('');
	const [limit, setLimit] = useState(STEP);
	const q = useRested(query.trim());
	const list = useLoad<Page<Agent>>(`/api/agents?limit=${limit}&sort=last_active&order=desc${q ? `&q=${encodeURIComponent(q)}` : ''}`);
	return (
		<Frame title="Agents" acts={may('admin') && <button type="button" class="solid" onClick={() => { making.value = true; }}><Icon name="plus" /><span>New agent</span></button>}>
			<Search value={query} name="Search agents" onInput={setQuery} />
			<Shown of={list} what="Agents">{(page) => (
				<>
					<p class="soft small" role="status">{q ? count(page.total, 'agent found', 'agents found') : count(page.total, 'agent')}</p>
					<ul class="lines">{page.items.map((a) => <Row key={a.id} a={a} again={list.again} />)}</ul>
					{page.items.length < page.total && <button type="button" class="plain more" onClick={() => setLimit(limit + STEP)}>Show more</button>}
				</>
			)}</Shown>
		</Frame>
	);
}

export function Agents() {
	const id = path.value[1];
	return id ? <AgentPage key={id} id={id} part={path.value[2] ?? 'settings'} /> : <List />;
}
