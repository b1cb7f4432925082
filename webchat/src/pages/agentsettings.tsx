// The settings of an agent. Only what was changed is sent.
import { useId, useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { patch, put } from '../core/api';
import { may } from '../core/auth';
import type { AgentDetail } from '../core/types';
import { Field, Said, Section, useLoad, useWork } from '../ui/kit';
import { usable } from './status';

const MODES: Record<string, string> = {
	full: 'Full: all tools it was given', assist: 'Assist: looks things up, changes nothing', observe: 'Observe: no tools',
};
const SEARCH: Record<string, string> = { off: 'Off', auto: 'When it helps', always: 'Always' };
const WAYS: Record<string, string> = {
	reactive: 'When it is spoken to', continuous: 'Again and again', periodic: 'By a timetable (cron)', proactive: 'When something happens',
};

type Draft = Record<string, string>;

function draftOf(a: AgentDetail): Draft {
	const num = (n: number | null) => (n === null ? '' : `${n}`);
	return {
		name: a.name, description: a.description, system_prompt: a.system_prompt, provider: a.model.provider, model: a.model.model,
		temperature: num(a.model.temperature), max_tokens: num(a.model.max_tokens), top_p: num(a.model.top_p), context_window: num(a.model.context_window),
		web_search_augmentation: a.web_search_augmentation, emoji: a.identity?.emoji ?? '', mode: a.mode, ...scheduleOf(a.schedule),
	};
}

function scheduleOf(text: string): Draft {
	const s = /^continuous · (\d+)s$/.exec(text);
	const way = s ? 'continuous' : text === 'manual' ? 'reactive' : text === 'proactive' ? 'proactive' : 'periodic';
	return { way, seconds: s?.[1] ?? '300', cron: way === 'periodic' ? text : '0 8 * * *', conditions: '' };
}

function scheduleBody(d: Draft): unknown {
	switch (d.way) {
	case 'continuous': return { continuous: { check_interval_secs: Number(d.seconds) } };
	case 'periodic': return { periodic: { cron: d.cron!.trim() } };
	case 'proactive': return { proactive: { conditions: d.conditions!.split('\n').map((l) => l.trim()).filter(Boolean) } };
	default: return 'reactive';
	}
}

const NUMBERS = ['temperature', 'max_tokens', 'top_p', 'context_window'];
const TEXTS = ['name', 'description', 'system_prompt', 'provider', 'model', 'web_search_augmentation', 'emoji'];

async function store(id: string, was: Draft, is: Draft) {
	const config: Record<string, unknown> = {};
	const differs = (k: string) => is[k] !== was[k];
	for (const k of TEXTS) if (differs(k)) config[k] = is[k];
	for (const k of NUMBERS) if (differs(k) && is[k] !== '') config[k] = Number(is[k]);
	if (Object.keys(config).length) await patch(`/api/agents/${id}/config`, config);
	if (differs('mode')) await put(`/api/agents/${id}/mode`, { mode: is.mode });
	if (['way', 'seconds', 'cron', 'conditions'].some(differs)) await patch(`/api/agents/${id}`, { schedule: scheduleBody(is) });
}

export function Settings({ agent: a, again }: { agent: AgentDetail; again: () => Promise<void> }) {
	const [was, setWas] = useState(() => draftOf(a));
	const [d, set] = useState(was);
	const work = useWork(), list = useId();
	const providers = useLoad<{ providers: { id: string; display_name: string; auth_status: string }[] }>(may('admin') ? '/api/providers' : null);
	const models = useLoad<{ models: { id: string }[] }>(may('admin') ? `/api/models?provider=${encodeURIComponent(d.provider!)}` : null);
	const changed = Object.keys(d).some((k) => d[k] !== was[k]);
	const on = (k: string) => ({ id: '', value: d[k], onInput: (e: { currentTarget: { value: string } }) => set((x) => ({ ...x, [k]: e.currentTarget.value })) });
	const input = (k: string, more: object = {}) => (id: string, note?: string) => <input {...on(k)} id={id} aria-describedby={note} autocomplete="off" {...more} />;
	const choice = (k: string, from: Record<string, string>) => (id: string) => (
		<select {...on(k)} id={id}>{Object.entries(from).map(([v, name]) => <option key={v} value={v}>{name}</option>)}</select>
	);
	const known: Record<string, string> = Object.fromEntries((providers.data?.providers ?? []).filter((p) => usable(p.auth_status)).map((p) => [p.id, p.display_name]));
	if (!known[d.provider!]) known[d.provider!] = d.provider!;
	function submit(e: Event) {
		e.preventDefault();
		void work.run(async () => {
			await store(a.id, was, d);
			setWas(d);
			await Promise.all([again(), agents.changed()]);
			return 'Saved.';
		});
	}
	return (
		<form class="settings" onSubmit={submit}>
			<fieldset disabled={!may('admin')}>
				<legend class="away">Settings of {a.name}</legend>
				<Section title="Who it is">
					<div class="fields">
						<Field name="Name">{input('name', { required: true, maxLength: 64, spellcheck: false })}</Field>
						<Field name="Face" note="An emoji. Without one, the first letter of the name.">{input('emoji', { maxLength: 16 })}</Field>
						<Field name="Description" wide>{input('description')}</Field>
						<Field name="Instructions" wide note="What the model is told before everything else.">{(id, note) => <textarea {...on('system_prompt')} id={id} aria-describedby={note} rows={9} />}</Field>
					</div>
				</Section>
				<Section title="Model">
					<div class="fields">
						<Field name="Provider">{choice('provider', known)}</Field>
						<Field name="Model">{input('model', { list, spellcheck: false, required: true })}</Field>
						<Field name="Temperature" note="0 to 2. The higher, the freer.">{input('temperature', { type: 'number', min: 0, max: 2, step: 'any' })}</Field>
						<Field name="Longest answer" note="In tokens.">{input('max_tokens', { type: 'number', min: 1, step: 1 })}</Field>
						<Field name="Top p" note="0 to 1. Empty: the provider's own.">{input('top_p', { type: 'number', min: 0, max: 1, step: 'any' })}</Field>
						<Field name="Context window" note="In tokens. Empty: as the catalog says.">{input('context_window', { type: 'number', min: 1, step: 1 })}</Field>
					</div>
					<datalist id={list}>{models.data?.models.map((m) => <option key={m.id} value={m.id} />)}</datalist>
				</Section>
				<Section title="What it may do">
					<div class="fields">
						<Field name="Mode">{choice('mode', MODES)}</Field>
						<Field name="Looks on the web before it answers">{choice('web_search_augmentation', SEARCH)}</Field>
						<Field name="It works">{choice('way', WAYS)}</Field>
						{d.way === 'continuous' && <Field name="Every so many seconds">{input('seconds', { type: 'number', min: 1, step: 1, required: true })}</Field>}
						{d.way === 'periodic' && <Field name="Timetable" note="Minute, hour, day, month, weekday.">{input('cron', { required: true, spellcheck: false })}</Field>}
						{d.way === 'proactive' && <Field name="Conditions" note="One a line.">{(id, note) => <textarea {...on('conditions')} id={id} aria-describedby={note} rows={3} />}</Field>}
					</div>
				</Section>
			</fieldset>
			{may('admin') ? (
				<div class="save">
					<Said work={work} />
					{changed && <button type="button" class="plain" onClick={() => set(was)}>Undo</button>}
					<button type="submit" class="solid" disabled={!changed || work.busy}>{work.busy ? 'Saving…' : 'Save'}</button>
				</div>
			) : <p class="soft small">Your role may read these settings, not change them.</p>}
		</form>
	);
}
