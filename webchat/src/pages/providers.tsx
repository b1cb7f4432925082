// Who gives us models: which of them can be used, and how to connect one: choose it, paste its key, test it.
import { useRef, useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { del, post, put } from '../core/api';
import { may } from '../core/auth';
import { count, sentence } from '../ui/format';
import { Icon } from '../ui/icons';
import { Dialog, Field, Search, Section, Shown, useFollow, useLoad, useWork } from '../ui/kit';
import { Copilot } from './copilot';
import { usable, WORDS } from './status';

interface Provider {
	id: string; display_name: string; auth_status: string; model_count: number; key_required: boolean; key_present: boolean; is_custom: boolean;
	base_url: string; suppressed?: boolean; is_coding_agent?: boolean; latency_ms?: number; error_message?: string; is_local?: boolean; reachable?: boolean;
}
interface Tested { status: string; latency_ms?: number; error?: string; note?: string; discovered_models?: number }

function Connect({ p, isDefault, onClose, again }: { p: Provider; isDefault: boolean; onClose: () => void; again: () => Promise<void> }) {
	const work = useWork();
	const [key, setKey] = useState('');
	const [url, setUrl] = useState(p.base_url);
	const [tried, setTried] = useState(false);
	const at = `/api/providers/${p.id}`, connected = usable(p.auth_status), takesKey = p.key_required || p.is_custom;
	async function test(): Promise<string> {
		const t = await post<Tested>(`${at}/test`);
		await again();
		if (t.status !== 'ok') throw new Error(t.error || 'The test failed');
		return `It works${t.latency_ms === undefined ? '' : `: answered in ${t.latency_ms} ms`}.${t.note ? ` ${t.note}` : ''}`;
	}
	async function store() {
		let more = '';
		setTried(true);
		if (url.trim() !== p.base_url) await put(`${at}/url`, { base_url: url.trim() });
		if (key.trim()) {
			more = (await post<{ message?: string }>(`${at}/key`, { key: key.trim() })).message ?? '';
			setKey('');
			await again();
		}
		const said = await test();
		await agents.load();
		return more ? `${said} ${sentence(more)}` : said;
	}
	const makeDefault = () => void work.run(async () => {
		const d = await post<{ model: string }>(`${at}/default`);
		await Promise.all([again(), agents.load()]);
		return `Agents without a model of their own use ${d.model} now.`;
	});
	const takeBack = () => void work.run(async () => {
		await post(`${at}/enable`);
		await Promise.all([again(), agents.load()]);
		return 'It is one of the providers again.';
	});
	const remove = () => void work.run(async () => {
		await del(`${at}/key`);
		await Promise.all([again(), agents.load()]);
		return 'The key is removed.';
	});
	return (
		<Dialog title={connected ? p.display_name : `Connect ${p.display_name}`} onClose={onClose} work={work} keep
			act={takesKey && (key || !connected) ? 'Save and test' : 'Test'} doing="Testing…" off={p.key_required && !connected && !key.trim() && !tried} onAct={store}>
			{p.id === 'github-copilot' && <Copilot again={again} />}
			{takesKey && !p.is_coding_agent && (
				<Field name={connected ? 'Another key' : 'Key'} note="It is kept sealed on the server and never shown again.">
					{(id, note) => <input id={id} aria-describedby={note} type="password" autocomplete="off" spellcheck={false} value={key} onInput={(e) => setKey(e.currentTarget.value)} />}
				</Field>
			)}
			{!p.is_coding_agent && (
				<Field name="Address">{(id) => <input id={id} type="url" spellcheck={false} autocomplete="off" value={url} onInput={(e) => setUrl(e.currentTarget.value)} />}</Field>
			)}
			{(connected || p.key_present || p.suppressed) && (
				<div class="also">
					{p.suppressed && <button type="button" class="plain" disabled={work.busy} onClick={takeBack}>Take it back</button>}
					{connected && (isDefault ? <span class="badge is-good">the default</span> : <button type="button" class="plain" disabled={work.busy} onClick={makeDefault}>Make it the default</button>)}
					{takesKey && p.key_present && !p.suppressed && <button type="button" class="plain" disabled={work.busy} onClick={remove}><Icon name="trash" /><span>Remove the key</span></button>}
				</div>
			)}
		</Dialog>
	);
}

function Line({ p, isDefault, ask }: { p: Provider; isDefault: boolean; ask: () => void }) {
	const [word, look] = WORDS[p.is_local && p.auth_status === 'missing' ? 'local_offline' : p.auth_status] ?? [p.auth_status, ''], connected = usable(p.auth_status);
	return (
		<li class="line">
			<div class="line-what">
				<p><strong>{p.display_name}</strong> <span class={`badge ${look}`}>{word}</span> {p.suppressed && <span class="badge">put away</span>} {isDefault && <span class="badge is-good">default</span>}</p>
				<p class="soft small facts"><span>{p.id}</span><span>{count(p.model_count, 'model')}</span>{p.latency_ms ? <span>{p.latency_ms} ms</span> : null}{p.error_message && <span class="bad">{p.error_message}</span>}</p>
			</div>
			{may('admin') && <button type="button" class="plain" aria-label={`${connected ? 'Manage' : 'Connect'} ${p.display_name}`} onClick={ask}><Icon name={connected ? 'gear' : 'key'} /><span>{connected ? 'Manage' : 'Connect'}</span></button>}
		</li>
	);
}

// Where most keys come from stands first.
const USUAL = ['anthropic', 'openai', 'gemini', 'openrouter', 'groq', 'deepseek', 'mistral', 'together', 'fireworks', 'xai', 'perplexity', 'cohere', 'azure-openai'];
const rank = (p: Provider) => (USUAL.indexOf(p.id) + 1) || USUAL.length + 1;
// Whether a server runs on this machine is looked at within a minute, when somebody asks for the list.
const isUnseen = (p: Provider) => !!p.is_local && usable(p.auth_status) && p.reachable === undefined;

export function Providers() {
	const list = useLoad<{ providers: Provider[] }>('/api/providers');
	const looks = useRef(0);
	useFollow(list, (d) => looks.current++ < 25 && d.providers.some(isUnseen));
	const status = useLoad<{ default_provider: string; default_model: string }>('/api/status');
	const [query, setQuery] = useState('');
	const [asked, ask] = useState('');              // here, for its line moves to another list
	const q = query.trim().toLowerCase();
	const again = async () => { await Promise.all([list.again(), status.again()]); };
	return (
		<Shown of={list} what="Providers">{({ providers }) => {
			const shown = providers.filter((p) => !q || `${p.id} ${p.display_name}`.toLowerCase().includes(q));
			const groups: [string, Provider[]][] = [
				['Ready to use', shown.filter((p) => usable(p.auth_status) && !p.suppressed)], ['To connect', shown.filter((p) => !usable(p.auth_status) || p.suppressed).sort((a, b) => rank(a) - rank(b))],
			];
			return (
				<>
					<Search value={query} name="Search providers" onInput={setQuery} />
					{status.data?.default_model && <p class="soft small">Agents without a model of their own use {status.data.default_provider} / {status.data.default_model}.</p>}
					{groups.map(([name, some]) => some.length > 0 && (
						<Section key={name} title={name}><ul class="lines">{some.map((p) => <Line key={p.id} p={p} isDefault={p.id === status.data?.default_provider} ask={() => ask(p.id)} />)}</ul></Section>
					))}
					{providers.filter((p) => p.id === asked).map((p) => <Connect key={p.id} p={p} isDefault={p.id === status.data?.default_provider} onClose={() => ask('')} again={again} />)}
					{!shown.length && <p class="soft">Nothing found.</p>}
				</>
			);
		}}</Shown>
	);
}
