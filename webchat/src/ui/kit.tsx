// What the pages beside the conversation are made of: the frame, data on its way, dialogs, work in progress.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { get, isAbsent, words } from '../core/api';
import { sentence } from './format';
import { Icon, type IconName } from './icons';
import { covered, drawer, focus } from './view';

// --- the frame ---------------------------------------------------------------------

interface FrameProps { title: string; sub?: string; back?: [string, string]; acts?: ComponentChildren; children: ComponentChildren }

export function Frame({ title, sub, back, acts, children }: FrameProps) {
	const head = useRef<HTMLHeadingElement>(null);
	useEffect(() => {
		document.title = `${title} · LibreFang`;
	}, [title]);
	useEffect(() => { head.current?.focus(); }, []);
	return (
		<main class="main" inert={covered.value}>
			<header class="head">
				<button type="button" id="menu" class="quiet square only-narrow" aria-label="Open the menu" aria-expanded={covered.value} onClick={() => { drawer.value = true; focus('agent-button'); }}><Icon name="menu" /></button>
				{back && <a class="quiet square" href={back[0]} title={back[1]} aria-label={back[1]}><Icon name="back" /></a>}
				<div class="what">
					<h1 ref={head} tabIndex={-1}>{title}</h1>
					{sub && <p class="soft">{sub}</p>}
				</div>
				{acts}
			</header>
			<div class="scroll"><div class="sheet">{children}</div></div>
		</main>
	);
}

export function Section({ title, acts, children, note }: { title: string; acts?: ComponentChildren; note?: string; children: ComponentChildren }) {
	const id = useId();
	return (
		<section class="part" aria-labelledby={id}>
			<header><h2 id={id}>{title}</h2>{acts}</header>
			{note && <p class="soft small">{note}</p>}
			{children}
		</section>
	);
}

export const Tile = ({ name, value, more }: { name: string; value: string; more?: string }) => (
	<div class="tile"><dt>{name}</dt><dd>{value}</dd>{more && <dd class="soft small">{more}</dd>}</div>
);

export function Search({ value, name, onInput }: { value: string; name: string; onInput: (v: string) => void }) {
	return (
		<div class="search">
			<Icon name="search" />
			<input type="search" placeholder={name} aria-label={name} value={value} onInput={(e) => onInput(e.currentTarget.value)} />
		</div>
	);
}

export function Act({ icon, name, onClick, disabled }: { icon: IconName; name: string; onClick: () => void; disabled?: boolean }) {
	return <button type="button" class="quiet square" title={name} aria-label={name} disabled={disabled} onClick={onClick}><Icon name={icon} /></button>;
}

// --- data on its way -----------------------------------------------------------------

export interface Loaded<T> { data: T | null; problem: string; absent: boolean; again: () => Promise<void> }

// What a path answers; null asks nothing. The old answer stays until the next is there.
export function useLoad<T>(path: string | null): Loaded<T> {
	const [state, set] = useState<{ data: T | null; problem: string; absent: boolean }>({ data: null, problem: '', absent: false });
	const now = useRef(0);
	async function load() {
		const mine = ++now.current;
		if (!path) return;
		try {
			const data = await get<T>(path);
			if (mine === now.current) set({ data, problem: '', absent: false });
		} catch (e) {
			if (mine === now.current) set((s) => ({ data: s.data, problem: words(e), absent: isAbsent(e) }));
		}
	}
	useEffect(() => {
		void load();
		return () => { now.current++; };
	}, [path]);
	return { ...state, again: load };
}

// While something runs, what is shown of it follows.
export function useFollow<T>(of: Loaded<T>, runs: (data: T) => boolean, ms = 3000) {
	useEffect(() => {
		if (!of.data || !runs(of.data)) return;
		const t = setInterval(() => { if (document.visibilityState === 'visible') void of.again(); }, ms);
		return () => clearInterval(t);
	}, [of.data]);
}

export function Shown<T>({ of, what, children }: { of: Loaded<T>; what: string; children: (data: T) => ComponentChildren }) {
	if (of.absent) return <p class="soft absent">{what}: not available on this server.</p>;
	return (
		<>
			<div role="alert">
				{of.problem && <p class="notice"><Icon name="alert" /><span>{sentence(of.problem)}</span><button type="button" class="plain" onClick={() => void of.again()}>Try again</button></p>}
			</div>
			{of.data ? children(of.data) : !of.problem && <p class="soft" aria-busy="true">Loading…</p>}
		</>
	);
}

// A text that follows another only once that rests.
export function useRested(value: string, ms = 250): string {
	const [rested, set] = useState(value);
	useEffect(() => {
		const t = setTimeout(() => set(value), ms);
		return () => clearTimeout(t);
	}, [value]);
	return rested;
}

// --- work in progress --------------------------------------------------------------------

export interface Work { busy: boolean; problem: string; done: string; run: (fn: () => Promise<string | void>) => Promise<boolean>; clear: () => void }

// Something that is being done: one at a time; what it said at its end, or why it failed.
export function useWork(): Work {
	const [state, set] = useState({ busy: false, problem: '', done: '' });
	const running = useRef(false), alive = useRef(true);
	useEffect(() => {
		alive.current = true;
		return () => { alive.current = false; };
	}, []);
	const put = (s: typeof state) => { if (alive.current) set(s); };
	return {
		...state,
		clear: () => put({ busy: false, problem: '', done: '' }),
		run: async (fn) => {
			if (running.current) return false;
			running.current = true;
			put({ busy: true, problem: '', done: '' });
			try {
				put({ busy: false, problem: '', done: await fn() || '' });
				return true;
			} catch (e) {
				put({ busy: false, problem: isAbsent(e) ? 'This is not available on this server.' : words(e), done: '' });
				return false;
			} finally {
				running.current = false;
			}
		},
	};
}

// How it went. Always there, so that a screen reader hears what changes in it.
export function Said({ work }: { work: Work }) {
	return (
		<>
			<div role="alert">{work.problem && <p class="problem"><Icon name="alert" /><span>{sentence(work.problem)}</span></p>}</div>
			<p role="status" class={work.done ? 'fine' : 'away'}>{work.done && <><Icon name="check" /><span>{work.done}</span></>}</p>
		</>
	);
}

// --- dialogs -------------------------------------------------------------------------------

interface DialogProps {
	title: string; onClose: () => void; children: ComponentChildren; work: Work;
	act: string; doing?: string; bad?: boolean; off?: boolean; onAct: () => Promise<string | void>; keep?: boolean;
	also?: ComponentChildren;
}

// A question with one answer. It closes when that is done (keep: it stays), and stays open while it fails.
export function Dialog({ title, onClose, children, work, act, doing, bad, off, onAct, keep, also }: DialogProps) {
	const box = useRef<HTMLDialogElement>(null), id = useId();
	const before = useRef(document.activeElement as HTMLElement | null);
	useEffect(() => {
		const from = before.current;
		box.current?.showModal();
		box.current?.querySelector<HTMLElement>('input:not([hidden]), select, textarea, .buttons button')?.focus();
		return () => { if (from?.isConnected) from.focus(); };
	}, []);
	async function submit(e: Event) {
		e.preventDefault();
		if (await work.run(onAct) && !keep) onClose();
	}
	return (
		<dialog ref={box} aria-labelledby={id} onClose={onClose} onPointerDown={(e) => { if (e.target === box.current) box.current?.close(); }}>
			<form onSubmit={submit}>
				<header>
					<h2 id={id}>{title}</h2>
					<button type="button" class="quiet square" aria-label="Close" onClick={() => box.current?.close()}><Icon name="cross" /></button>
				</header>
				{children}
				<Said work={work} />
				<div class="buttons">
					{also}
					<button type="button" class="plain" onClick={() => box.current?.close()}>{keep && work.done ? 'Close' : 'Cancel'}</button>
					<button type="submit" class={bad ? 'solid bad' : 'solid'} disabled={work.busy || off}>{work.busy ? doing ?? 'Working…' : act}</button>
				</div>
			</form>
		</dialog>
	);
}

export function Field({ name, note, children, wide }: { name: string; note?: string; wide?: boolean; children: (id: string, note?: string) => ComponentChildren }) {
	const id = useId();
	return (
		<div class={wide ? 'field wide' : 'field'}>
			<label for={id}>{name}</label>
			{children(id, note ? `${id}n` : undefined)}
			{note && <p id={`${id}n`} class="soft small">{note}</p>}
		</div>
	);
}
