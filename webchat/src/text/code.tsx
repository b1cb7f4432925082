// A block of code: its language, a button that copies it, and colours once they are there.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { copy } from '../ui/clipboard';
import { Icon } from '../ui/icons';
import type { Span } from './highlight';

type Highlight = (text: string, lang: string) => Span[] | null;
const colours = signal<Highlight | null>(null);
let asked = false;

function load() {
	if (asked) return;
	asked = true;
	import('./highlight').then((m) => { colours.value = m.highlight; }, () => { asked = false; });
}

function spans(list: Span[]): ComponentChildren {
	return list.map((s) => (s.type === 'text' ? s.value : <span class={s.properties?.className?.join(' ')}>{spans(s.children ?? [])}</span>));
}

export function Coloured({ text, lang }: { text: string; lang: string }) {
	if (lang) load();
	const tree = lang ? colours.value?.(text, lang.toLowerCase()) : null;
	return <code>{tree ? spans(tree) : text}</code>;
}

export function Code({ text, lang }: { text: string; lang: string }) {
	const [copied, setCopied] = useState(false);
	async function take() {
		if (!await copy(text)) return;
		setCopied(true);
		setTimeout(() => setCopied(false), 1600);
	}
	return (
		<figure class="code">
			<figcaption>
				<span>{lang || 'text'}</span>
				<button type="button" class="quiet" onClick={take}>
					<Icon name={copied ? 'check' : 'copy'} /><span>{copied ? 'Copied' : 'Copy'}</span>
				</button>
			</figcaption>
			<pre tabIndex={0} aria-label={`Code${lang ? `, ${lang}` : ''}`}><Coloured text={text} lang={lang} /></pre>
		</figure>
	);
}
