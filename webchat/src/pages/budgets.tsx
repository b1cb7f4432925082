// What may be spent: by all, by an agent, at a provider. 0 is no limit.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { del, get, put } from '../core/api';
import { may } from '../core/auth';
import { money, tokens } from '../ui/format';
import { Act, Dialog, Field, Said, Section, Shown, useLoad, useWork, type Work } from '../ui/kit';
import { usable } from './status';

interface Budget {
	hourly_spend: number; hourly_limit: number; daily_spend: number; daily_limit: number; monthly_spend: number; monthly_limit: number;
	alert_threshold: number; default_max_llm_tokens_per_hour: number;
}
interface OfAgent { agent_id: string; name: string; daily_cost_usd: number; hourly_limit: number; daily_limit: number; monthly_limit: number; max_llm_tokens_per_hour: number | null }
interface OfUser { user_id: string; name: string | null; hourly_cost_usd: number; daily_cost_usd: number; monthly_cost_usd: number; limits: UserLimits | null }
interface UserLimits { max_hourly_usd: number; max_daily_usd: number; max_monthly_usd: number; alert_threshold: number }
interface OfProvider {
	provider: string; cap_hourly_usd: number; cap_daily_usd: number; cap_monthly_usd: number; cap_tokens_per_hour: number;
	spend_hourly_usd: number; spend_daily_usd: number; spend_monthly_usd: number; is_exhausted: boolean; exhaustion_reason: string | null;
}

const WINDOWS = ['hourly', 'daily', 'monthly'] as const;
const NAMES = { hourly: 'This hour', daily: 'Today', monthly: 'This month' } as const;
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
	const b = useLoad<Budget>('/api/budget'), work = useWork();
	return (
		<Section title="All together" note="In dollars, by the clock of UTC. 0 is no limit.">
			<Shown of={b} what="Budgets">{(d) => (
				<>
					<dl class="tiles">{WINDOWS.map((w) => <Meter key={w} name={NAMES[w]} spend={d[`${w}_spend`]} most={d[`${w}_limit`]} alert={d.alert_threshold} />)}</dl>
					{may('admin') && <Form key={JSON.stringify([d.hourly_limit, d.daily_limit, d.monthly_limit, d.alert_threshold, d.default_max_llm_tokens_per_hour])} was={d} work={work} again={b.again} />}
				</>
			)}</Shown>
		</Section>
	);
}

// Made anew when the limits are others; how it went lasts.
function Form({ was, work, again }: { was: Budget; work: Work; again: () => Promise<void> }) {
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
			await again();
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

interface Cap { key: string; name: string; value: number; step?: number; max?: number }

const COSTS = ['At most an hour', 'At most a day', 'At most a month'];
const caps = (keys: string[], values: number[]): Cap[] => keys.map((key, i) => ({ key, name: COSTS[i] ?? 'Tokens an hour', value: values[i]!, step: i < 3 ? undefined : 1 }));
const KEYS = ['max_cost_per_hour_usd', 'max_cost_per_day_usd', 'max_cost_per_month_usd'];

// The limits of one of them.
function Caps({ name, list, onClose, work, store, also }: { name: string; list: Cap[]; onClose: () => void; work: Work; store: (body: Record<string, number>) => Promise<void>; also?: ComponentChildren }) {
	const [d, set] = useState(list.map((c) => `${c.value}`));
	return (
		<Dialog title={`Budget of ${name}`} onClose={onClose} work={work} act="Save" also={also} onAct={() => store(Object.fromEntries(list.map((c, i) => [c.key, Number(d[i])])))}>
			<p class="soft small">In dollars. 0 is no limit of its own.</p>
			<div class="fields">
				{list.map((c, i) => (
					<Field key={c.key} name={c.name}>{(id) => <input id={id} {...USD} max={c.max} step={c.step ?? 'any'} value={d[i]} onInput={(e) => set(d.map((x, k) => (k === i ? e.currentTarget.value : x)))} />}</Field>
				))}
			</div>
		</Dialog>
	);
}

const Acts = () => <th scope="col" class="acts"><span class="away">What to do</span></th>;
const Edit = ({ name, onClick }: { name: string; onClick: () => void }) => <td class="acts"><Act icon="edit" name={`Budget of ${name}`} onClick={onClick} /></td>;

interface Detail { hourly: { limit: number }; daily: { limit: number }; monthly: { limit: number }; tokens: { limit: number } }

function Agents() {
	const list = useLoad<{ items: OfAgent[] }>('/api/budget/agents?all=true');
	const open = useWork(), work = useWork();
	const [now, set] = useState<{ id: string; name: string; was: number[] } | null>(null);
	const edit = (id: string, name: string) => void open.run(async () => {
		const d = await get<Detail>(`/api/budget/agents/${id}`);
		work.clear();
		set({ id, name, was: [d.hourly.limit, d.daily.limit, d.monthly.limit, d.tokens.limit] });
	});
	return (
		<Section title="Each agent">
			<Shown of={list} what="Budgets of agents">{({ items }) => (!items.length ? <p class="soft">There is none.</p> : (
				<div class="table" tabIndex={0} role="region" aria-label="Table of budgets of agents">
					<table>
						<thead><tr><th scope="col">Agent</th><th scope="col" class="to-right">Today</th><th scope="col" class="to-right">Hour</th><th scope="col" class="to-right">Day</th><th scope="col" class="to-right">Month</th><th scope="col" class="to-right">Tokens</th>{may('admin') && <Acts />}</tr></thead>
						<tbody>{items.map((a) => (
							<tr key={a.agent_id}><th scope="row">{a.name}</th><td class="to-right">{a.daily_cost_usd > 0 ? money(a.daily_cost_usd) : '–'}</td><td class="to-right">{limit(a.hourly_limit)}</td><td class="to-right">{limit(a.daily_limit)}</td>
								<td class="to-right">{limit(a.monthly_limit)}</td><td class="to-right">{a.max_llm_tokens_per_hour ? tokens(a.max_llm_tokens_per_hour) : 'no limit'}</td>
								{may('admin') && <Edit name={a.name} onClick={() => edit(a.agent_id, a.name)} />}</tr>
						))}</tbody>
					</table>
				</div>
			))}</Shown>
			<Said work={open} />
			{now && <Caps key={now.id} name={now.name} list={caps([...KEYS, 'max_llm_tokens_per_hour'], now.was)} work={work} onClose={() => set(null)} store={async (body) => {
				await put(`/api/budget/agents/${now.id}`, body);
				await list.again();
			}} />}
		</Section>
	);
}

const NONE = {
	cap_hourly_usd: 0, cap_daily_usd: 0, cap_monthly_usd: 0, cap_tokens_per_hour: 0, spend_hourly_usd: 0, spend_daily_usd: 0, spend_monthly_usd: 0,
	is_exhausted: false, exhaustion_reason: null,
};

function AtProviders() {
	const list = useLoad<{ providers: OfProvider[] }>('/api/budget/providers');
	const known = useLoad<{ providers: { id: string; auth_status: string; suppressed?: boolean }[] }>('/api/providers');
	const work = useWork();
	const [now, set] = useState<OfProvider | null>(null);
	// those that could be used, before they cost anything
	const idle = (had: OfProvider[]): OfProvider[] => (known.data?.providers ?? []).filter((p) => usable(p.auth_status) && !p.suppressed && !had.some((h) => h.provider === p.id)).map((p) => ({ ...NONE, provider: p.id }));
	return (
		<Section title="Each provider">
			<Shown of={list} what="Budgets of providers">{({ providers }) => (!providers.length && !idle(providers).length ? <p class="soft">None can be used yet.</p> : (
				<div class="table" tabIndex={0} role="region" aria-label="Table of budgets of providers">
					<table>
						<thead><tr><th scope="col">Provider</th>{WINDOWS.map((w) => <th key={w} scope="col" class="to-right">{NAMES[w]}</th>)}{may('admin') && <Acts />}</tr></thead>
						<tbody>{[...providers, ...idle(providers)].map((p) => (
							<tr key={p.provider}><th scope="row">{p.provider} {p.is_exhausted && <span class="badge is-bad">{(p.exhaustion_reason ?? 'exhausted').replace(/_/g, ' ')}</span>}</th>
								{WINDOWS.map((w) => <td key={w} class="to-right">{money(p[`spend_${w}_usd`])} <span class="soft small">of {limit(p[`cap_${w}_usd`])}</span></td>)}
								{may('admin') && <Edit name={p.provider} onClick={() => { work.clear(); set(p); }} />}</tr>
						))}</tbody>
					</table>
				</div>
			))}</Shown>
			{now && <Caps key={now.provider} name={now.provider} list={caps([...KEYS, 'max_tokens_per_hour'], [now.cap_hourly_usd, now.cap_daily_usd, now.cap_monthly_usd, now.cap_tokens_per_hour])} work={work} onClose={() => set(null)} store={async (body) => {
				await put(`/api/budget/providers/${encodeURIComponent(now.provider)}`, body);
				await list.again();
			}} />}
		</Section>
	);
}

const ROOT = '00000000-0000-0000-0000-72006f0074a0';     // whoever has the api_key: not somebody to hold short

function Users() {
	const list = useLoad<{ users: OfUser[] }>('/api/budget/users?limit=1000');
	const known = useLoad<{ name: string }[]>('/api/users');
	const work = useWork();
	const [now, set] = useState<OfUser | null>(null);
	const limits = now?.limits ?? { max_hourly_usd: 0, max_daily_usd: 0, max_monthly_usd: 0, alert_threshold: 0.8 };
	const idle = (had: OfUser[]): OfUser[] => (known.data ?? []).filter((k) => !had.some((h) => h.name === k.name)).map((k) => ({ user_id: k.name, name: k.name, hourly_cost_usd: 0, daily_cost_usd: 0, monthly_cost_usd: 0, limits: null }));
	const nameOf = (u: OfUser) => u.name ?? (u.user_id === ROOT ? 'the owner' : u.user_id);
	const drop = () => void work.run(async () => {
		await del(`/api/budget/users/${encodeURIComponent(now!.user_id)}`);
		await list.again();
		set(null);
	});
	return (
		<Section title="Each user">
			<Shown of={list} what="Budgets of users">{({ users }) => (!users.length && !idle(users).length ? <p class="soft">Nobody yet.</p> : (
				<div class="table" tabIndex={0} role="region" aria-label="Table of budgets of users">
					<table>
						<thead><tr><th scope="col">User</th>{WINDOWS.map((w) => <th key={w} scope="col" class="to-right">{NAMES[w]}</th>)}<Acts /></tr></thead>
						<tbody>{[...users, ...idle(users)].map((u) => (
							<tr key={u.user_id}><th scope="row">{nameOf(u)}</th>
								{WINDOWS.map((w) => <td key={w} class="to-right">{money(u[`${w}_cost_usd`])} <span class="soft small">of {limit(u.limits?.[`max_${w}_usd`] ?? 0)}</span></td>)}
								{u.name ? <Edit name={u.name} onClick={() => { work.clear(); set(u); }} /> : <td class="acts" />}</tr>
						))}</tbody>
					</table>
				</div>
			))}</Shown>
			{now && <Caps key={now.user_id} name={nameOf(now)} work={work} onClose={() => set(null)} list={[
				...caps(['max_hourly_usd', 'max_daily_usd', 'max_monthly_usd'], [limits.max_hourly_usd, limits.max_daily_usd, limits.max_monthly_usd]),
				{ key: 'alert_threshold', name: 'Warn at this part of a limit', value: limits.alert_threshold, max: 1 },
			]} also={now.limits && <button type="button" class="plain" disabled={work.busy} onClick={drop}>No budget</button>} store={async (body) => {
				await put(`/api/budget/users/${encodeURIComponent(now.user_id)}`, body);
				await list.again();
			}} />}
		</Section>
	);
}

export function Budgets() {
	return <><Everybody /><Agents /><AtProviders />{may('admin') && <Users />}</>;
}
