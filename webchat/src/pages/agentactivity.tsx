// What an agent has been doing: figures, turns that run now, tool calls of its last turn, calls of its model.
import { post } from '../core/api';
import { may } from '../core/auth';
import { count, money, tokens, when, whole } from '../ui/format';
import { Icon } from '../ui/icons';
import { Act, Said, Section, Shown, Tile, useFollow, useLoad, useWork } from '../ui/kit';

interface Metrics { message_count: number; token_usage: { total_input_tokens: number; total_output_tokens: number }; tool_calls: { total_tool_calls: number }; cost_usd: number; call_count: number; error_count: number; avg_response_time_ms: number | null }
interface Trace { tool_use_id: string; tool_name: string; input: unknown; rationale: string | null; execution_ms: number; is_error: boolean; output_summary: string; iteration: number; timestamp: string }
interface Call { timestamp: string; model: string; provider: string; input_tokens: number; output_tokens: number; cost_usd: number; tool_calls: number; latency_ms: number }
interface Entry { seq: number; timestamp: string; action: string; detail: string; outcome: string }
interface Run { session_id: string; started_at: string }

const ms = (n: number) => (n < 1000 ? `${Math.round(n)} ms` : `${(n / 1000).toFixed(1)} s`);

function Figures({ id }: { id: string }) {
	const m = useLoad<Metrics>(`/api/agents/${id}/metrics`);
	return (
		<Section title="In figures">
			<Shown of={m} what="Figures">{(d) => (
				<dl class="tiles">
					<Tile name="Cost" value={money(d.cost_usd)} more={count(d.call_count, 'model call')} />
					<Tile name="Tokens" value={tokens(d.token_usage.total_input_tokens + d.token_usage.total_output_tokens)} more={`${tokens(d.token_usage.total_input_tokens)} in, ${tokens(d.token_usage.total_output_tokens)} out`} />
					<Tile name="Tool calls" value={d.tool_calls.total_tool_calls.toLocaleString()} more={count(d.error_count, 'failure')} />
					<Tile name="Answers in" value={d.avg_response_time_ms === null ? '–' : ms(d.avg_response_time_ms)} more="on average" />
				</dl>
			)}</Shown>
		</Section>
	);
}

function Running({ id }: { id: string }) {
	const runs = useLoad<Run[]>(`/api/agents/${id}/runtime`);
	const work = useWork();
	useFollow(runs, (list) => list.length > 0);
	const stop = (s: string) => void work.run(async () => {
		const r = await post<{ stopped: boolean }>(`/api/agents/${id}/sessions/${s}/stop`);
		await runs.again();
		return r.stopped ? 'Stopped.' : 'It had ended already.';
	});
	return (
		<Section title="Running now" acts={<Act icon="retry" name="Look again" onClick={() => void runs.again()} />}>
			<Shown of={runs} what="Running turns">{(list) => (list.length ? (
				<ul class="lines">
					{list.map((r) => (
						<li key={r.session_id} class="line">
							<span class="pulse" aria-hidden="true" />
							<p class="line-what">A turn since {when(r.started_at)}</p>
							<div class="line-acts">
								<div class="icons">
									<a class="plain" href={`#/${id}/${r.session_id}`}><Icon name="eye" /><span>Watch</span></a>
									{may('user') && <button type="button" class="plain" onClick={() => stop(r.session_id)}><Icon name="stop" /><span>Stop</span></button>}
								</div>
							</div>
						</li>
					))}
				</ul>
			) : <p class="soft">Nothing.</p>)}</Shown>
			<Said work={work} />
		</Section>
	);
}

function Traces({ id }: { id: string }) {
	const t = useLoad<{ traces: Trace[] }>(`/api/agents/${id}/traces`);
	return (
		<Section title="Tool calls of the last turn that used any">
			<Shown of={t} what="Traces">{({ traces }) => (traces.length ? traces.map((x) => (
				<details key={x.tool_use_id} class={`fold tool is-${x.is_error ? 'failed' : 'done'}`}>
					<summary>
						<Icon name={x.is_error ? 'alert' : 'check'} />
						<code>{x.tool_name}</code>
						<span class="brief">{x.output_summary}</span>
						<span class="state">{x.is_error ? 'failed, ' : ''}{ms(x.execution_ms)}</span>
						<Icon name="down" />
					</summary>
					<div class="fold-body">
						{x.rationale && <p class="small">{x.rationale}</p>}
						<div class="piece"><h3>Arguments</h3><pre tabIndex={0} aria-label="Arguments"><code>{whole(x.input)}</code></pre></div>
						<div class="piece"><h3>{x.is_error ? 'Error' : 'Result'}</h3><pre tabIndex={0} aria-label="Result"><code>{x.output_summary}</code></pre></div>
						<p class="soft small">Step {x.iteration}, {when(x.timestamp)}</p>
					</div>
				</details>
			)) : <p class="soft">None.</p>)}</Shown>
		</Section>
	);
}

function Calls({ id }: { id: string }) {
	const c = useLoad<{ events: Call[] }>(`/api/agents/${id}/events?limit=30`);
	return (
		<Section title="Latest model calls">
			<Shown of={c} what="Model calls">{({ events }) => (events.length ? (
				<div class="table" tabIndex={0} role="region" aria-label="Table of model calls">
					<table>
						<thead><tr><th scope="col">When</th><th scope="col">Model</th><th scope="col" class="to-right">In</th><th scope="col" class="to-right">Out</th><th scope="col" class="to-right">Tools</th><th scope="col" class="to-right">Took</th><th scope="col" class="to-right">Cost</th></tr></thead>
						<tbody>{events.map((e, i) => (
							<tr key={i}><td>{when(e.timestamp)}</td><td>{e.model}</td><td class="to-right">{tokens(e.input_tokens)}</td><td class="to-right">{tokens(e.output_tokens)}</td>
								<td class="to-right">{e.tool_calls}</td><td class="to-right">{ms(e.latency_ms)}</td><td class="to-right">{money(e.cost_usd)}</td></tr>
						))}</tbody>
					</table>
				</div>
			) : <p class="soft">None yet.</p>)}</Shown>
		</Section>
	);
}

function Log({ id }: { id: string }) {
	const log = useLoad<{ logs: Entry[] }>(`/api/agents/${id}/logs?n=50`);
	return (
		<Section title="Log">
			<Shown of={log} what="The log">{({ logs }) => (logs.length ? (
				<div class="table" tabIndex={0} role="region" aria-label="Table of the log">
					<table>
						<thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">More</th><th scope="col">How it went</th></tr></thead>
						<tbody>{logs.map((l) => <tr key={l.seq}><td>{when(l.timestamp)}</td><td>{l.action}</td><td class="long">{l.detail}</td><td>{l.outcome}</td></tr>)}</tbody>
					</table>
				</div>
			) : <p class="soft">Nothing yet.</p>)}</Shown>
		</Section>
	);
}

export function Activity({ id }: { id: string }) {
	return <><Running id={id} /><Figures id={id} /><Traces id={id} /><Calls id={id} /><Log id={id} /></>;
}
