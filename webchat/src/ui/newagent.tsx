// A new agent: from one of the server's templates, or from a manifest.
import { useEffect, useRef, useState } from 'preact/hooks';
import { make } from '../core/agents';
import { get, words } from '../core/api';
import { sentence } from './format';
import { Icon } from './icons';
import { focus, making } from './view';

interface Template { name: string; description: string }

const BLANK = '', FIRST = 'assistant', MANY = 8;
const MANIFEST = `description = ""

[model]
provider = "default"
model = "default"
system_prompt = """
You are a helpful agent."""

[capabilities]
tools = ["*"]
`;

export function NewAgent() {
	const box = useRef<HTMLDialogElement>(null);
	const [templates, setTemplates] = useState<Template[]>([]);
	const [template, setTemplate] = useState(FIRST);
	const [name, setName] = useState('');
	const [manifest, setManifest] = useState(MANIFEST);
	const [filter, setFilter] = useState('');
	const q = filter.trim().toLowerCase();
	const shown = templates.filter((t) => t.name === template || `${t.name} ${t.description}`.toLowerCase().includes(q));
	const [problem, setProblem] = useState('');
	const [waiting, setWaiting] = useState(false);
	useEffect(() => {
		box.current?.showModal();
		focus('agent-name');
		get<{ templates: Template[] }>('/api/templates').then((r) => {
			setTemplates(r.templates);
			if (!r.templates.some((t) => t.name === FIRST)) setTemplate(r.templates[0]?.name ?? BLANK);
		}, (e) => {
			setTemplate(BLANK);
			setProblem(words(e));
		});
	}, []);
	async function submit(e: Event) {
		e.preventDefault();
		if (waiting) return;
		setWaiting(true);
		setProblem('');
		try {
			await make(template === BLANK ? { manifest_toml: manifest } : { template }, name.trim());
			making.value = false;
			focus('box');
		} catch (x) {
			setProblem(words(x));
		}
		setWaiting(false);
	}
	return (
		<dialog ref={box} aria-labelledby="new-title" onClose={() => { making.value = false; }} onPointerDown={(e) => { if (e.target === box.current) box.current?.close(); }}>
			<form onSubmit={submit}>
				<header>
					<h2 id="new-title">New agent</h2>
					<button type="button" class="quiet square" aria-label="Close" onClick={() => box.current?.close()}><Icon name="cross" /></button>
				</header>
				<label for="agent-name">Name</label>
				<input id="agent-name" required maxLength={64} autocomplete="off" spellcheck={false} placeholder="for example: travel-planner" value={name} onInput={(e) => setName(e.currentTarget.value)} />
				<fieldset>
					<legend>What it is for</legend>
					{templates.length > MANY && <input type="search" class="filter" placeholder="Filter" aria-label="Filter the templates" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />}
					<div class="cards">
						{[...shown, { name: BLANK, description: 'From a manifest, the text of an agent.toml.' }].map((t) => (
							<label class="card" key={t.name}>
								<input type="radio" name="template" value={t.name} checked={t.name === template} onChange={() => setTemplate(t.name)} />
								<span><strong>{t.name || 'From nothing'}</strong><span class="soft">{t.description}</span></span>
							</label>
						))}
					</div>
				</fieldset>
				{template === BLANK && (
					<>
						<label for="agent-manifest">Manifest</label>
						<textarea id="agent-manifest" rows={9} spellcheck={false} value={manifest} onInput={(e) => setManifest(e.currentTarget.value)} />
					</>
				)}
				<div role="alert">{problem && <p class="problem"><Icon name="alert" /><span>{sentence(problem)}</span></p>}</div>
				<div class="buttons">
					<button type="button" class="plain" onClick={() => box.current?.close()}>Cancel</button>
					<button type="submit" class="solid" disabled={waiting}>{waiting ? 'Creating…' : 'Create agent'}</button>
				</div>
			</form>
		</dialog>
	);
}
