// The identity files of an agent's workspace: plain text that it reads of itself.
import { useEffect, useRef, useState } from 'preact/hooks';
import { del, get, put } from '../core/api';
import { may } from '../core/auth';
import { bytes } from '../ui/format';
import { Icon } from '../ui/icons';
import { Dialog, Said, Shown, useLoad, useWork } from '../ui/kit';

interface File { name: string; exists: boolean; size_bytes: number }

const MAX = 32768;
const ABOUT: Record<string, string> = {
	'SOUL.md': 'Its character and its values', 'IDENTITY.md': 'Who it is', 'USER.md': 'Whom it works for', 'TOOLS.md': 'Notes on its tools',
	'MEMORY.md': 'What it keeps in mind', 'AGENTS.md': 'How it works with others', 'BOOTSTRAP.md': 'What it does first', 'HEARTBEAT.md': 'What it does when nobody asks',
};

function Remove({ id, name, onClose, then }: { id: string; name: string; onClose: () => void; then: () => Promise<void> }) {
	const work = useWork();
	return (
		<Dialog title={`Delete ${name}?`} onClose={onClose} work={work} act="Delete" bad onAct={async () => {
			await del(`/api/agents/${id}/files/${name}`);
			await then();
		}}><p>The agent no longer reads it. This cannot be undone.</p></Dialog>
	);
}

function Editor({ id, file, again }: { id: string; file: File; again: () => Promise<void> }) {
	const path = `/api/agents/${id}/files/${file.name}`;
	const [was, setWas] = useState<string | null>(file.exists ? null : '');
	const [text, setText] = useState('');
	const [asked, ask] = useState(false);
	const box = useRef<HTMLTextAreaElement>(null);
	const work = useWork(), size = new TextEncoder().encode(text).length;
	useEffect(() => {
		if (!file.exists) return;
		void work.run(async () => {
			const f = await get<{ content: string }>(path);
			setWas(f.content);
			setText(f.content);
		});
	}, [path]);
	const write = () => void work.run(async () => {
		await put(path, { content: text });
		setWas(text);
		await again();
		return 'Saved.';
	});
	return (
		<div class="editor">
			<textarea ref={box} rows={16} aria-label={file.name} aria-describedby="file-size" spellcheck={false} value={text} readOnly={!may('admin') || was === null}
				placeholder={may('admin') && was === '' ? 'This file is not there yet. What you write makes it.' : ''} onInput={(e) => setText(e.currentTarget.value)} />
			<div class="save">
				<Said work={work} />
				<p id="file-size" class={size > MAX ? 'bad small' : 'soft small'}>{bytes(size)} of {bytes(MAX)}</p>
				{may('admin') && file.exists && <button type="button" class="plain" onClick={() => ask(true)}><Icon name="trash" /><span>Delete</span></button>}
				{may('admin') && <button type="button" class="solid" disabled={work.busy || was === null || text === was || size > MAX} onClick={write}>{work.busy ? 'Saving…' : 'Save'}</button>}
			</div>
			{asked && <Remove id={id} name={file.name} onClose={() => ask(false)} then={async () => { setWas(''); setText(''); await again(); }} />}
		</div>
	);
}

export function Files({ id }: { id: string }) {
	const list = useLoad<{ files: File[] }>(`/api/agents/${id}/files`);
	const [name, setName] = useState('SOUL.md');
	return (
		<Shown of={list} what="Files">{({ files }) => {
			const now = files.find((f) => f.name === name);
			return (
				<div class="files">
					<ul aria-label="Files">
						{files.map((f) => (
							<li key={f.name}>
								<button type="button" class="row" aria-current={f.name === name ? 'true' : undefined} onClick={() => setName(f.name)}>
									<Icon name="file" />
									<span class="who"><strong>{f.name}</strong><span class="soft">{f.exists ? bytes(f.size_bytes) : 'not there'} · {ABOUT[f.name] ?? ''}</span></span>
								</button>
							</li>
						))}
					</ul>
					{now && <Editor key={name} id={id} file={now} again={list.again} />}
				</div>
			);
		}}</Shown>
	);
}
