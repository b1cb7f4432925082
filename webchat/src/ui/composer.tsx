// The box to write in. What is not sent yet stays with its conversation.
import { untracked, useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { may } from '../core/auth';
import * as chat from '../core/chat';
import { textOf } from '../core/history';
import { keep } from '../core/keep';
import * as uploads from '../core/uploads';
import { bytes } from './format';
import { Icon } from './icons';
import { narrow } from './view';

// What goes along with the message.
function Files() {
	return (
		<ul class="uploads" aria-label="Files of this message">
			{uploads.uploads.value.map((u) => (
				<li key={u.key} class={`upload is-${u.state}`}>
					<Icon name={u.state === 'failed' ? 'alert' : 'file'} />
					<span class="who"><strong>{u.filename}</strong>
						<span class="soft" role={u.state === 'failed' ? 'alert' : undefined}>{u.state === 'failed' ? u.problem : u.state === 'there' ? (u.size ? bytes(u.size) : 'attached') : `${Math.round(u.done * 100)} %`}</span></span>
					{u.state === 'going' && <progress value={u.done} max={1} aria-label={`Sending ${u.filename}`} />}
					<button type="button" class="quiet square" aria-label={`Take ${u.filename} away`} onClick={() => { uploads.drop(u.key); document.getElementById('box')?.focus(); }}><Icon name="cross" /></button>
				</li>
			))}
		</ul>
	);
}

export function Composer() {
	if (!may('user')) return <p class="soft small help reads">Your role reads along; it does not write.</p>;
	return <Write />;
}

function Write() {
	const session = chat.sessionId.value, place = `lf-draft-${session}`;
	const box = useRef<HTMLTextAreaElement>(null), toEnd = useRef(false);
	const [text, setText] = useState(() => keep.get(place) ?? '');
	const a = agents.agent.value;
	const busy = chat.busy.value, stopping = chat.turn.value?.stopping;

	function write(value: string) {
		setText(value);
		if (value) keep.set(place, value, false);
		else keep.drop(place);
	}
	useEffect(() => {
		if (session && !narrow.value && document.activeElement === document.body) box.current?.focus();
	}, [session]);
	useLayoutEffect(() => {
		const b = box.current!;
		b.style.height = 'auto';
		b.style.height = `${Math.min(b.scrollHeight, innerHeight * 0.4)}px`;
		if (toEnd.current) b.setSelectionRange(text.length, text.length);
		toEnd.current = false;
	}, [text]);
	useSignalEffect(() => {
		if (!chat.editing.value) return;
		untracked(() => {
			const q = chat.lastQuestion.value!;
			write(textOf(q));
			uploads.again(q.images ?? []);
		});
		toEnd.current = true;
	});

	const pick = useRef<HTMLInputElement>(null);
	const [over, setOver] = useState(false);
	const take = (files: Iterable<File> | null | undefined) => {
		if (!files || !session || !may('user')) return;
		const said = uploads.add(chat.agentId.value, files);
		if (said) chat.trouble.value = said;
	};
	// files may be dropped anywhere on the page
	useEffect(() => {
		const has = (e: DragEvent) => may('user') && [...e.dataTransfer?.types ?? []].includes('Files');
		const hover = (e: DragEvent) => {
			if (!has(e)) return;
			e.preventDefault();
			setOver(e.type !== 'dragleave' || e.relatedTarget !== null);
		};
		const dropped = (e: DragEvent) => {
			if (!has(e)) return;
			e.preventDefault();
			setOver(false);
			take(e.dataTransfer?.files);
		};
		const all: [string, (e: DragEvent) => void][] = [['dragenter', hover], ['dragover', hover], ['dragleave', hover], ['drop', dropped]];
		for (const [name, fn] of all) addEventListener(name as 'drop', fn);
		return () => {
			for (const [name, fn] of all) removeEventListener(name as 'drop', fn);
			uploads.clear();
		};
	}, []);
	const attached = uploads.ready.value.length > 0, going = uploads.going.value;

	function send() {
		const say = box.current!.value;         // not what was last drawn
		if (chat.busy.value || going || !(say.trim() || attached) || !session) return;
		const files = uploads.ready.value;
		write('');
		uploads.clear();
		void chat.ask(say, files);
		box.current?.focus();
	}
	function unedit() {
		chat.editing.value = false;
		write('');
		uploads.clear();
	}
	function key(e: KeyboardEvent) {
		if (e.key === 'Enter' && !e.shiftKey && !e.isComposing && e.keyCode !== 229) {
			e.preventDefault();
			send();
		} else if (e.key === 'ArrowUp' && !text && !busy && chat.lastQuestion.value) {
			e.preventDefault();
			chat.editing.value = true;
		} else if (e.key === 'Escape' && chat.editing.value) {
			e.stopPropagation();
			unedit();
		}
	}
	return (
		<form class="composer" aria-label="Write a message" onSubmit={(e) => { e.preventDefault(); send(); }}>
			{chat.editing.value && (
				<p class="editing"><Icon name="edit" /><span>Editing your last question. It is sent as a new one.</span>
					<button type="button" class="quiet square" aria-label="Stop editing" onClick={unedit}><Icon name="cross" /></button></p>
			)}
			{uploads.uploads.value.length > 0 && <Files />}
			<div class={over ? 'write over' : 'write'}>
				<button type="button" class="quiet square clip" title="Attach files" aria-label="Attach files" disabled={!session} onClick={() => pick.current?.click()}><Icon name="clip" /></button>
				<input ref={pick} type="file" multiple hidden aria-label="Files to attach" onChange={(e) => { take([...e.currentTarget.files ?? []]); e.currentTarget.value = ''; box.current?.focus(); }} />
				<textarea id="box" ref={box} rows={1} value={text} disabled={!session} aria-label={a ? `Message to ${a.name}` : 'Message'} aria-describedby="box-help"
					placeholder={over ? 'Drop the files here' : a ? `Message ${a.name}` : ''} enterkeyhint="send" onPaste={(e) => { if (e.clipboardData?.files.length) { e.preventDefault(); take(e.clipboardData.files); } }} onInput={(e) => write(e.currentTarget.value)} onKeyDown={key} />
				{busy
					? <button type="button" class="send stop" aria-label={stopping ? 'Stopping' : 'Stop'} title="Stop (Esc)" disabled={stopping} onClick={() => void chat.stop()}><Icon name="stop" /></button>
					: <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={going || !(text.trim() || attached) || !session}><Icon name="send" /></button>}
			</div>
			<p id="box-help" class="soft small help"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> makes a new line. Agents make mistakes: check what matters.</p>
		</form>
	);
}
