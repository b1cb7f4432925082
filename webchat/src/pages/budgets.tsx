// What may be spent: by all, by an agent, at a provider. 0 is no limit.
import { useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { get, put } from '../core/api';
import { may } from '../core/auth';
import { money, tokens } from '../ui/format';
import { Icon } from '../ui/icons';
import { Dialog, Field, Said, Section, Shown, useLoad, useWork, type Work } from '../ui/kit';

interface Budget {
	hourly_spend: number; hourly_limit: number; daily_spend: number; daily_limit: number; monthly_spend: number; monthly_limit: number;
	alert_threshold: number; default_max_llm_tokens_per_hour: number;
}
interface OfAgent { agent_id: string; name: string; daily_cost_usd: number; hourly_limit: number; daily_limit: number; monthly_limit: number; max_llm_tokens_per_hour: number | null }
interface OfProvider {
	provider: string; cap_hourly_usd: number; cap_daily_usd: number; cap_monthly_usd: number; cap_tokens_per_hour: number;
	spend_hourly_usd: number; spend_daily_usd: number; spend_monthly_usd: number; is_exhausted: boolean; exhaustion_reason: string | null;
}

const WINDOWS = ['hourly', 'daily', 'monthly'] as const;
const NAMES = { hourly: 'An hour', daily: 'A day', monthly: 'A month' } as const;
const USD = { type: 'number', min: 0, step: 'any', required: true } as const;
const limit = (n: number) => (n > 0 ? money(n) : 'no limit');

function Meter({ name, spend, most, alert }: { name: string; spend: number; most: number; alert: number }) {
	const part = most > 0 ? spend / most : 0;
	return (
		<div class="tile">
			<dt>{name}</dt>
			<dd>{money(spend)}</dd>
			<dd class="soft small">{most > 0 ? `${Math.round(part * 100)} % of ${money(most)}` : 'no limit'}</dd>
			{most > 0 && <dd><meter min={0} max={1} high={alert} value={Math.min(part, 1)} aria-label={`${name}: ${Math.round(part * 100)} % spent`} /></dd>}
		</div>
	);
}

function Everybody() {
	const b = useLoad<Budget>('/api/budget');
	return (
		<Section title="All together" note="In dollars, by the clock of UTC. 0 is no limit.">
			<Shown of={b} what="Budgets">{(d) => (
				<>
					<dl class="tiles">{WINDOWS.map((w) => <Meter key={w} name={`${NAMES[w]}, now`} spend={d[`${w}_spend`]} most={d[`${w}_limit`]} alert={d.alert_threshold} />)}</dl>
					{may('admin') && <Form key={JSON.stringify(d)} was={d} again={b.again} />}
				</>
			)}</Shown>
		</Section>
	);
}

function Form({ was, again }: { was: Budget; again: () => Promise<void> }) {
	const work = useWork();
	const [d, set] = useState<Record<string, string>>({
		max_hourly_usd: `${was.hourly_limit}`, max_daily_usd: `${was.daily_limit}`, max_monthly_usd: `${was.monthly_limit}`,
		alert_threshold: `${Math.round(was.alert_threshold * 100)}`, default_max_llm_tokens_per_hour: `${was.default_max_llm_tokens_per_hour}`,
	});
	const field = (k: string, name: string, more: object, note?: string) => (
		<Field name={name} note={note}>{(id, n) => <input id={id} aria-describedby={n} value={d[k]} onInput={(e) => set({ ...d, [k]: e.currentTarget.value })} {...more} />}</Field>
	);
	function submit(e: Event) {
		e.preventDefault();
		void work.run(async () => {
			const body = Object.fromEntries(Object.entries(d).map(([k, v]) => [k, Number(v)]));
			body.alert_threshold = body.alert_threshold! / 100;
			await put('/api/budget', body);
			void again();
			return 'Saved.';
		});
	}
	return (
		<form class="settings" onSubmit={submit}>
			<div class="fields">
				{field('max_hourly_usd', 'At most an hour', USD)}
				{field('max_daily_usd', 'At most a day', USD)}
				{field('max_monthly_usd', 'At most a month', USD)}
				{field('alert_threshold', 'Warn at', { type: 'number', min: 0, max: 100, step: 1, required: true }, 'Percent of a limit.')}
				{field('default_max_llm_tokens_per_hour', 'Tokens an hour for each agent', { type: 'number', min: 0, step: 1, required: true }, 'For agents that have no such limit of their own.')}
			</div>
			<div class="save"><Said work={work} /><button type="submit" class="solid" disabled={work.busy}>{work.busy ? 'Saving…' : 'Save'}</button></div>
		</form>
	);
}

// The limits of one of them.
function Caps({ name, was, tokenKey, onClose, work, store }: { name: string; was: number[]; tokenKey: string; onClose: () => void; work: Work; store: (body: Record<string, number>) => Promise<void> }) {
	const keys = ['max_cost_per_hour_usd', 'max_cost_per_day_usd', 'max_cost_per_month_usd', tokenKey];
	const [d, set] = useState(was.map(String));
	return (
		<Dialog title={`Budget of ${name}`} onClose={onClose} work={work} act="Save" onAct={() => store(Object.fromEntries(keys.map((k, i) => [k, Number(d[i])])))}>
			<p class="soft small">In dollars. 0 is no limit of its own.</p>
			<div class="fields">
				{['At most an hour', 'At most a day', 'At most a month', 'Tokens an hour'].map((n, i) => (
					<Field key={n} name={n}>{(id) => <input id={id} {...USD} step={i === 3 ? 1 : 'any'} value={d[i]} onInput={(e) => set(d.map((x, k) => (k === i ? e.currentTarget.value : x)))} />}</Field>
				))}
			</div>
		</Dialog>
	);
}

interface Detail { hourly: { limit: number }; daily: { limit: number }; monthly: { limit: number }; tokens: { limit: number } }

function Agents() {
	const list = useLoad<{ items: OfAgent[] }>('/api/budget/agents');
	const open = useWork(), work = useWork();
	const [now, set] = useState<{ id: string; name: string; was: number[] } | null>(null);
	const edit = (id: string, name: string) => void open.run(async () => {
		const d = await get<Detail>(`/api/budget/agents/${id}`);
		work.clear();
		set({ id, name, was: [d.hourly.limit, d.daily.limit, d.monthly.limit, d.tokens.limit] });
	});
	return (
		<Section title="Each agent">
			<Shown of={list} what="Budgets of agents">{({ items }) => {
				const known = new Map(items.map((a) => [a.agent_id, a]));
				const all = [...items.map((a) => ({ id: a.agent_id, name: a.name })), ...agents.agents.value.filter((a) => !known.has(a.id))];
				return (
					<div class="table" tabIndex={0} role="region" aria-label="Table of budgets of agents">
						<table>
							<thead><tr><th scope="col">Agent</th><th scope="col" class="to-right">Today</th><th scope="col" class="to-right">Hour</th><th scope="col" class="to-right">Day</th><th scope="col" class="to-right">Month</th><th scope="col" class="to-right">Tokens</th>{may('admin') && <th scope="col"><span class="away">What to do</span></th>}</tr></thead>
							<tbody>{all.map((a) => {
								const k = known.get(a.id);
								return (
									<tr key={a.id}><th scope="row">{a.name}</th><td class="to-right">{k ? money(k.daily_cost_usd) : '–'}</td><td class="to-right">{k ? limit(k.hourly_limit) : '–'}</td><td class="to-right">{k ? limit(k.daily_limit) : '–'}</td>
										<td class="to-right">{k ? limit(k.monthly_limit) : '–'}</td><td class="to-right">{k?.max_llm_tokens_per_hour ? tokens(k.max_llm_tokens_per_hour) : '–'}</td>
										{may('admin') && <td><button type="button" class="quiet square" title={`Budget of ${a.name}`} aria-label={`Budget of ${a.name}`} onClick={() => edit(a.id, a.name)}><Icon name="edit" /></button></td>}</tr>
								);
							})}</tbody>
						</table>
					</div>
				);
			}}</Shown>
			<Said work={open} />
			{now && <Caps key={now.id} name={now.name} was={now.was} tokenKey="max_llm_tokens_per_hour" work={work} onClose={() => set(null)} store={async (body) => {
				await put(`/api/budget/agents/${now.id}`, body);
				await list.again();
			}} />}
		</Section>
	);
}

function AtProviders() {
	const list = useLoad<{ providers: OfProvider[] }>('/api/budget/providers');
	const work = useWork();
	const [now, set] = useState<OfProvider | null>(null);
	return (
		<Section title="Each provider">
			<Shown of={list} what="Budgets of providers">{({ providers }) => (!providers.length ? <p class="soft">None is used yet.</p> : (
				<div class="table" tabIndex={0} role="region" aria-label="Table of budgets of providers">
					<table>
						<thead><tr><th scope="col">Provider</th>{WINDOWS.map((w) => <th key={w} scope="col" class="to-right">{NAMES[w]}</th>)}{may('admin') && <th scope="col"><span class="away">What to do</span></th>}</tr></thead>
						<tbody>{providers.map((p) => (
							<tr key={p.provider}><th scope="row">{p.provider} {p.is_exhausted && <span class="badge is-bad">{(p.exhaustion_reason ?? 'exhausted').replace(/_/g, ' ')}</span>}</th>
								{WINDOWS.map((w) => <td key={w} class="to-right">{money(p[`spend_${w}_usd`])} <span class="soft small">of {limit(p[`cap_${w}_usd`])}</span></td>)}
								{may('admin') && <td><button type="button" class="quiet square" title={`Budget of ${p.provider}`} aria-label={`Budget of ${p.provider}`} onClick={() => { work.clear(); set(p); }}><Icon name="edit" /></button></td>}</tr>
						))}</tbody>
					</table>
				</div>
			))}</Shown>
			{now && <Caps key={now.provider} name={now.provider} was={[now.cap_hourly_usd, now.cap_daily_usd, now.cap_monthly_usd, now.cap_tokens_per_hour]} tokenKey="max_tokens_per_hour" work={work} onClose={() => set(null)} store={async (body) => {
				await put(`/api/budget/providers/${now.provider}`, body);
				await list.again();
			}} />}
		</Section>
	);
}

export function Budgets() {
	return <><Everybody /><Agents /><AtProviders /></>;
}
