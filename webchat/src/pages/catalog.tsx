// All models that are known, and those that somebody added.
import { useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { del, post } from '../core/api';
import { may } from '../core/auth';
import { count, tokens } from '../ui/format';
import { Icon } from '../ui/icons';
import { Act, Dialog, Field, Said, Search, Shown, useLoad, useWork } from '../ui/kit';

interface Model {
	id: string; display_name: string; provider: string; tier: string; context_window: number; max_output_tokens: number;
	input_cost_per_m: number; output_cost_per_m: number; pricing_known?: boolean; limits_known?: boolean;
	supports_tools: boolean; supports_vision: boolean; supports_thinking: boolean; available: boolean;
}

const STEP = 100;
const price = (m: Model, n: number) => (m.pricing_known === false ? 'unknown' : n === 0 ? 'free' : `$${n}`);
const path = (id: string) => id.split('/').map(encodeURIComponent).join('/');

function Add({ onClose, again }: { onClose: () => void; again: () => Promise<void> }) {
	const work = useWork();
	const [d, set] = useState({ id: '', provider: '', context_window: '128000', max_output_tokens: '8192', input_cost_per_m: '0', output_cost_per_m: '0' });
	const [can, setCan] = useState({ supports_tools: true, supports_vision: false, supports_thinking: false });
	const field = (k: keyof typeof d, name: string, more: object = {}, note?: string) => (
		<Field name={name} note={note}>{(id, n) => <input id={id} aria-describedby={n} autocomplete="off" spellcheck={false} value={d[k]} onInput={(e) => set({ ...d, [k]: e.currentTarget.value })} {...more} />}</Field>
	);
	const whole = { type: 'number', min: 1, step: 1, required: true }, money = { type: 'number', min: 0, step: 'any', required: true };
	const flag = (k: keyof typeof can, name: string) => (
		<label class="choice"><input type="checkbox" checked={can[k]} onChange={(e) => setCan({ ...can, [k]: e.currentTarget.checked })} /><span>{name}</span></label>
	);
	return (
		<Dialog title="Add a model" onClose={onClose} work={work} act="Add" onAct={async () => {
			await post('/api/models/custom', {
				id: d.id.trim(), ...(d.provider.trim() ? { provider: d.provider.trim() } : {}), ...can,
				context_window: Number(d.context_window), max_output_tokens: Number(d.max_output_tokens),
				input_cost_per_m: Number(d.input_cost_per_m), output_cost_per_m: Number(d.output_cost_per_m),
			});
			await again();
		}}>
			{field('id', 'Model', { required: true }, 'As its provider calls it.')}
			{field('provider', 'Provider', {}, 'Empty: the default one.')}
			<div class="fields">
				{field('context_window', 'Context window', whole)}
				{field('max_output_tokens', 'Longest answer', whole)}
				{field('input_cost_per_m', '$ for a million tokens in', money)}
				{field('output_cost_per_m', '$ for a million tokens out', money)}
			</div>
			{flag('supports_tools', 'It can use tools')}
			{flag('supports_vision', 'It can see pictures')}
			{flag('supports_thinking', 'It can think first')}
		</Dialog>
	);
}

function Row({ m, work, again }: { m: Model; work: ReturnType<typeof useWork>; again: () => Promise<void> }) {
	const can = [m.supports_tools && 'tools', m.supports_vision && 'pictures', m.supports_thinking && 'thinking'].filter(Boolean).join(', ');
	const use = () => void work.run(async () => {
		await post(`/api/providers/${m.provider}/default`, { model: m.id });
		await agents.load();
		return `${m.id} is the default now.`;
	});
	const drop = () => void work.run(async () => {
		await del(`/api/models/custom/${path(m.id)}`);
		await again();
		return `${m.id} is removed.`;
	});
	return (
		<tr>
			<th scope="row"><strong>{m.display_name}</strong><br /><span class="soft small">{m.id}</span></th>
			<td>{m.provider}</td>
			<td class="to-right">{m.limits_known === false ? 'unknown' : tokens(m.context_window)}</td>
			<td class="to-right">{price(m, m.input_cost_per_m)}</td>
			<td class="to-right">{price(m, m.output_cost_per_m)}</td>
			<td class="soft small">{can}</td>
			{may('admin') && (
				<td><div class="icons">
					{m.available && <Act icon="check" name={`Make ${m.id} the default`} onClick={use} />}
					{m.tier === 'custom' && <Act icon="trash" name={`Remove ${m.id}`} onClick={drop} />}
				</div></td>
			)}
		</tr>
	);
}

export function Catalog() {
	const list = useLoad<{ models: Model[]; total: number }>('/api/models');
	const work = useWork();
	const [query, setQuery] = useState('');
	const [all, setAll] = useState(false);
	const [limit, setLimit] = useState(STEP);
	const [adding, setAdding] = useState(false);
	const q = query.trim().toLowerCase();
	return (
		<Shown of={list} what="Models">{({ models }) => {
			const found = models.filter((m) => (all || m.available) && (!q || `${m.id} ${m.display_name} ${m.provider}`.toLowerCase().includes(q)));
			return (
				<>
					<div class="bar">
						<Search value={query} name="Search models" onInput={(v) => { setQuery(v); setLimit(STEP); }} />
						<label class="choice"><input type="checkbox" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} /><span>Also those without a key</span></label>
						{may('admin') && <button type="button" class="plain" onClick={() => setAdding(true)}><Icon name="plus" /><span>Add a model</span></button>}
					</div>
					<p class="soft small" role="status">{count(found.length, 'model')}{q ? ' found' : all ? '' : ' ready to use'}</p>
					<Said work={work} />
					<div class="table" tabIndex={0} role="region" aria-label="Table of models">
						<table>
							<thead><tr><th scope="col">Model</th><th scope="col">Provider</th><th scope="col" class="to-right">Context</th><th scope="col" class="to-right">In, a million</th><th scope="col" class="to-right">Out, a million</th><th scope="col">It can use</th>{may('admin') && <th scope="col"><span class="away">What to do</span></th>}</tr></thead>
							<tbody>{found.slice(0, limit).map((m) => <Row key={`${m.provider}/${m.id}`} m={m} work={work} again={list.again} />)}</tbody>
						</table>
					</div>
					{found.length > limit && <button type="button" class="plain more" onClick={() => setLimit(limit + STEP)}>Show more</button>}
					{adding && <Add onClose={() => setAdding(false)} again={list.again} />}
				</>
			);
		}}</Shown>
	);
}
