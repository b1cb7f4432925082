// The box to write in. What is not sent yet stays with its conversation.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import * as agents from '../core/agents';
import * as chat from '../core/chat';
import { textOf } from '../core/history';
import { keep } from '../core/keep';
import { Icon } from './icons';
import { narrow } from './view';

export function Composer() {
	const session = chat.sessionId.value, place = `lf-draft-${session}`;
	const box = useRef<HTMLTextAreaElement>(null);
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
	}, [text]);
	useSignalEffect(() => {
		if (!chat.editing.value) return;
		write(textOf(chat.lastQuestion.peek()!));
		requestAnimationFrame(() => box.current?.setSelectionRange(1e6, 1e6));
	});

	function send() {
		const say = box.current!.value;         // not what was last drawn
		if (chat.busy.value || !say.trim() || !session) return;
		write('');
		void chat.ask(say);
		box.current?.focus();
	}
	function unedit() {
		chat.editing.value = false;
		write('');
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
			<div class="write">
				<textarea id="box" ref={box} rows={1} value={text} disabled={!session} aria-label={a ? `Message to ${a.name}` : 'Message'} aria-describedby="box-help"
					placeholder={a ? `Message ${a.name}` : ''} enterkeyhint="send" onInput={(e) => write(e.currentTarget.value)} onKeyDown={key} />
				{busy
					? <button type="button" class="send stop" aria-label={stopping ? 'Stopping' : 'Stop'} title="Stop (Esc)" disabled={stopping} onClick={() => void chat.stop()}><Icon name="stop" /></button>
					: <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={!text.trim() || !session}><Icon name="send" /></button>}
			</div>
			<p id="box-help" class="soft small help"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> makes a new line. Agents make mistakes: check what matters.</p>
		</form>
	);
}
