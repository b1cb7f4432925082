// What the models were used for and what it cost; the budgets that hold it: #/usage, #/usage/budgets.
import { useState } from 'preact/hooks';
import { call } from '../core/api';
import { may } from '../core/auth';
import { path } from '../core/route';
import { count, money, tokens } from '../ui/format';
import { Icon } from '../ui/icons';
import { Frame, Said, Section, Shown, Tile, useLoad, useWork, type Loaded } from '../ui/kit';
import { save } from '../ui/save';
import { Budgets } from './budgets';
import { Columns, type Day } from './chart';

interface Summary { total_input_tokens: number; total_output_tokens: number; total_cost_usd: number; call_count: number; total_tool_calls: number }
interface Daily { days: { date: string; cost_usd: number; tokens: number; calls: number }[]; today_cost_usd: number; first_event_date: string | null; retention_days: number }
interface ByModel { model: string; total_cost_usd: number; total_input_tokens: number; total_output_tokens: number; call_count: number; avg_latency_ms?: number; p95_latency_ms?: number }
interface ByAgent { agent_id: string; name: string; total_tokens: number; total_cost_usd: number; call_count: number; tool_calls: number }

const MEASURES = { cost_usd: 'Cost', tokens: 'Tokens', calls: 'Calls' } as const;
type Measure = keyof typeof MEASURES;
const SAY: Record<Measure, (n: number) => string> = { cost_usd: (n) => (n ? `$${n < 0.1 ? Number(n.toPrecision(2)) : n.toFixed(2)}` : '$0'), tokens, calls: (n) => `${n}` };

// The last seven days, also those on which nothing happened.
function week(d: Daily, by: Measure): Day[] {
	const others = (Object.keys(MEASURES) as Measure[]).filter((m) => m !== by);
	return Array.from({ length: 7 }, (_, i) => {
		const date = new Date(Date.now() - (6 - i) * 86400000).toISOString().slice(0, 10), x = d.days.find((y) => y.date === date);
		return { date, value: x?.[by] ?? 0, more: others.map((m) => SAY[m](x?.[m] ?? 0)) };
	});
}

function Days({ daily }: { daily: Loaded<Daily> }) {
	const [by, setBy] = useState<Measure>('cost_usd');
	const heads = ['Day', MEASURES[by], ...Object.entries(MEASURES).filter(([k]) => k !== by).map(([, v]) => v)];
	return (
		<Section title="The last seven days" acts={(
			<div class="choices" role="group" aria-label="What to show">
				{(Object.keys(MEASURES) as Measure[]).map((m) => <button key={m} type="button" class="quiet" aria-pressed={m === by} onClick={() => setBy(m)}>{MEASURES[m]}</button>)}
			</div>
		)}>
			<Shown of={daily} what="Usage by day">{(d) => <Columns name={`${MEASURES[by]} of the last seven days`} days={week(d, by)} heads={heads} say={SAY[by]} />}</Shown>
		</Section>
	);
}

function Sums({ daily }: { daily: Loaded<Daily> }) {
	const sum = useLoad<Summary>('/api/usage/summary');
	return (
		<Shown of={sum} what="Usage">{(s) => (
			<dl class="tiles">
				<Tile name="Cost" value={money(s.total_cost_usd)} more={daily.data ? `${money(daily.data.today_cost_usd)} today` : undefined} />
				<Tile name="Model calls" value={s.call_count.toLocaleString()} />
				<Tile name="Tokens" value={tokens(s.total_input_tokens + s.total_output_tokens)} more={`${tokens(s.total_input_tokens)} in, ${tokens(s.total_output_tokens)} out`} />
				<Tile name="Tool calls" value={s.total_tool_calls.toLocaleString()} />
			</dl>
		)}</Shown>
	);
}

// How much of the largest one, as a line under it.
const Share = ({ of, most }: { of: number; most: number }) => (
	<svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="column-of" width={most > 0 ? (of / most) * 100 : 0} height="4" rx="2" /></svg>
);

const ms = (n: number | undefined) => (n === undefined ? '–' : n < 1000 ? `${Math.round(n)} ms` : `${(n / 1000).toFixed(1)} s`);

function Models() {
	const fast = useLoad<{ models: ByModel[] }>('/api/usage/by-model/performance');
	const plain = useLoad<{ models: ByModel[] }>(fast.absent ? '/api/usage/by-model' : null);
	const list = fast.absent ? plain : fast;
	return (
		<Section title="By model">
			<Shown of={list} what="Usage by model">{({ models }) => {
				const most = Math.max(0, ...models.map((m) => m.total_cost_usd));
				return !models.length ? <p class="soft">Nothing yet.</p> : (
					<div class="table" tabIndex={0} role="region" aria-label="Table of models">
						<table>
							<thead><tr><th scope="col">Model</th><th scope="col" class="to-right">Cost</th><th scope="col" class="to-right">Calls</th><th scope="col" class="to-right">In</th><th scope="col" class="to-right">Out</th><th scope="col" class="to-right">Takes</th><th scope="col" class="to-right">95 % within</th></tr></thead>
							<tbody>{models.map((m) => (
								<tr key={m.model}><th scope="row">{m.model}<Share of={m.total_cost_usd} most={most} /></th><td class="to-right">{money(m.total_cost_usd)}</td><td class="to-right">{m.call_count.toLocaleString()}</td>
									<td class="to-right">{tokens(m.total_input_tokens)}</td><td class="to-right">{tokens(m.total_output_tokens)}</td><td class="to-right">{ms(m.avg_latency_ms)}</td><td class="to-right">{ms(m.p95_latency_ms)}</td></tr>
							))}</tbody>
						</table>
					</div>
				);
			}}</Shown>
		</Section>
	);
}

function Agents() {
	const list = useLoad<{ items: ByAgent[] }>('/api/usage');
	return (
		<Section title="By agent">
			<Shown of={list} what="Usage by agent">{({ items }) => {
				const used = items.filter((a) => a.call_count > 0).sort((a, b) => b.total_cost_usd - a.total_cost_usd || b.total_tokens - a.total_tokens);
				const most = Math.max(0, ...used.map((a) => a.total_cost_usd));
				return !used.length ? <p class="soft">Nothing yet.</p> : (
					<div class="table" tabIndex={0} role="region" aria-label="Table of agents">
						<table>
							<thead><tr><th scope="col">Agent</th><th scope="col" class="to-right">Cost</th><th scope="col" class="to-right">Calls</th><th scope="col" class="to-right">Tokens</th><th scope="col" class="to-right">Tool calls</th></tr></thead>
							<tbody>{used.map((a) => (
								<tr key={a.agent_id}><th scope="row"><a href={`#/agents/${a.agent_id}/activity`}>{a.name}</a><Share of={a.total_cost_usd} most={most} /></th><td class="to-right">{money(a.total_cost_usd)}</td>
									<td class="to-right">{a.call_count.toLocaleString()}</td><td class="to-right">{tokens(a.total_tokens)}</td><td class="to-right">{a.tool_calls.toLocaleString()}</td></tr>
							))}</tbody>
						</table>
						{items.length > used.length && <p class="soft small foot">{count(items.length - used.length, 'agent')} without a call.</p>}
					</div>
				);
			}}</Shown>
		</Section>
	);
}

function Spending() {
	const daily = useLoad<Daily>('/api/usage/daily');
	return <><Sums daily={daily} /><Days daily={daily} /><Models /><Agents /></>;
}

export function Usage() {
	const part = path.value[1], work = useWork();
	const out = () => void work.run(async () => {
		save(`usage-${new Date().toISOString().slice(0, 10)}.csv`, await (await call('GET', '/api/usage/export?format=csv')).blob());
	});
	return (
		<Frame title="Usage" acts={part !== 'budgets' && may('admin') && <button type="button" class="plain" disabled={work.busy} onClick={out}><Icon name="load" /><span>Export as CSV</span></button>}>
			<nav class="tabs" aria-label="Parts of this page">
				<a href="#/usage" aria-current={part === 'budgets' ? undefined : 'page'}>Usage and cost</a>
				<a href="#/usage/budgets" aria-current={part === 'budgets' ? 'page' : undefined}>Budgets</a>
			</nav>
			<Said work={work} />
			{part === 'budgets' ? <Budgets /> : <Spending />}
		</Frame>
	);
}
