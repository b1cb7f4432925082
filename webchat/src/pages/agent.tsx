// One agent: its settings, tools, files, and what it has been doing.
import type { AgentDetail } from '../core/types';
import { Frame, Shown, useLoad, type Loaded } from '../ui/kit';
import { AgentActs, State } from './agentacts';
import { Activity } from './agentactivity';
import { Files } from './agentfiles';
import { Settings } from './agentsettings';
import { Tools } from './agenttools';

const PARTS = { settings: 'Settings', tools: 'Tools', files: 'Files', activity: 'Activity' } as const;

function Part({ part, agent, again }: { part: string; agent: AgentDetail; again: Loaded<AgentDetail>['again'] }) {
	switch (part) {
	case 'tools': return <Tools id={agent.id} />;
	case 'files': return <Files id={agent.id} />;
	case 'activity': return <Activity id={agent.id} />;
	default: return <Settings agent={agent} again={again} />;
	}
}

export function AgentPage({ id, part }: { id: string; part: string }) {
	const agent = useLoad<AgentDetail>(`/api/agents/${encodeURIComponent(id)}`);
	const a = agent.data;
	return (
		<Frame title={a?.name ?? 'Agent'} sub={a?.description} back={['#/agents', 'All agents']} acts={a && <AgentActs agent={a} again={agent.again} gone="#/agents" named />}>
			<Shown of={agent} what="This agent">{(x) => (
				<>
					<nav class="tabs" aria-label={`Parts of ${x.name}`}>
						{Object.entries(PARTS).map(([key, name]) => <a key={key} href={`#/agents/${id}/${key}`} aria-current={key === part ? 'page' : undefined}>{name}</a>)}
						<State agent={x} />
					</nav>
					<Part part={part} agent={x} again={agent.again} />
				</>
			)}</Shown>
		</Frame>
	);
}
