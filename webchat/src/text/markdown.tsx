// Markdown of a model as elements. The text is never parsed as HTML: marked only
// cuts it into tokens, and each kind of token becomes an element here or stays text.
import { lexer, type Token, type Tokens } from 'marked';
import type { ComponentChildren, JSX } from 'preact';
import { Component } from 'preact';
import { Code } from './code';

const ENTITY = /&(?:#\d+|#x[\da-f]+|[a-z][a-z\d]*);/gi;

function plain(text: string): string {
	if (!text.includes('&')) return text;
	return text.replace(ENTITY, (e) => new DOMParser().parseFromString(e, 'text/html').documentElement.textContent ?? e);
}

// Where a link may lead: out, by a protocol that runs nothing.
export function safeHref(href: string): string | null {
	try {
		const u = new URL(plain(href));
		return ['http:', 'https:', 'mailto:', 'tel:'].includes(u.protocol) ? u.href : null;
	} catch {
		return null;
	}
}

function Link({ href, children }: { href: string; children: ComponentChildren }) {
	const to = safeHref(href);
	if (!to) return <span>{children}</span>;
	return <a href={to} target="_blank" rel="noopener noreferrer nofollow">{children}</a>;
}

function inline(tokens: Token[] | undefined): ComponentChildren {
	return tokens?.map((t) => {
		switch (t.type) {
		case 'strong': return <strong>{inline(t.tokens)}</strong>;
		case 'em': return <em>{inline(t.tokens)}</em>;
		case 'del': return <del>{inline(t.tokens)}</del>;
		case 'codespan': return <code>{t.text}</code>;
		case 'br': return <br />;
		case 'link': return <Link href={t.href}>{inline(t.tokens)}</Link>;
		// a picture from elsewhere would tell elsewhere that it was seen
		case 'image': return <Link href={t.href}>{plain(t.text) || t.href}</Link>;
		case 'checkbox': return null;
		case 'text': return 'tokens' in t && t.tokens ? inline(t.tokens) : plain(t.text);
		case 'escape': return t.text;
		default: return t.raw;
		}
	});
}

function List({ t }: { t: Tokens.List }) {
	const rows = t.items.map((i) => (
		<li class={i.task ? 'task' : undefined}>
			{i.task && <input type="checkbox" checked={!!i.checked} disabled aria-label={i.checked ? 'Done' : 'To do'} />}
			{blocks(i.tokens, !i.loose)}
		</li>
	));
	return t.ordered ? <ol start={t.start === '' ? undefined : t.start}>{rows}</ol> : <ul>{rows}</ul>;
}

function Table({ t }: { t: Tokens.Table }) {
	const side = (i: number) => (t.align[i] ? `to-${t.align[i]}` : undefined);
	return (
		<div class="table" tabIndex={0} role="group" aria-label="Table">
			<table>
				<thead><tr>{t.header.map((c, i) => <th scope="col" class={side(i)}>{inline(c.tokens)}</th>)}</tr></thead>
				<tbody>{t.rows.map((r) => <tr>{r.map((c, i) => <td class={side(i)}>{inline(c.tokens)}</td>)}</tr>)}</tbody>
			</table>
		</div>
	);
}

function block(t: Token, tight: boolean): ComponentChildren {
	switch (t.type) {
	case 'space': case 'def': case 'checkbox': return null;
	case 'heading': {
		// the page has its own first headings
		const H = `h${Math.min(t.depth + 2, 6)}` as keyof JSX.IntrinsicElements & 'h3';
		return <H>{inline(t.tokens)}</H>;
	}
	case 'paragraph': return <p>{inline(t.tokens)}</p>;
	case 'code': return <Code text={t.text} lang={(t.lang ?? '').split(/\s/)[0] ?? ''} />;
	case 'blockquote': return <blockquote>{blocks(t.tokens ?? [], false)}</blockquote>;
	case 'list': return <List t={t as Tokens.List} />;
	case 'table': return <Table t={t as Tokens.Table} />;
	case 'hr': return <hr />;
	case 'text': return tight ? inline(t.tokens ?? [t]) : <p>{inline(t.tokens ?? [t])}</p>;
	default: return <p>{t.raw}</p>;
	}
}

function blocks(tokens: Token[], tight: boolean): ComponentChildren {
	return tokens.map((t) => block(t, tight));
}

// While an answer comes only its last block changes: the others are not drawn again.
class Block extends Component<{ t: Token }> {
	override shouldComponentUpdate(next: { t: Token }) {
		return next.t.raw !== this.props.t.raw;
	}
	render() {
		return <>{block(this.props.t, false)}</>;
	}
}

export function Markdown({ text }: { text: string }) {
	return <div class="prose">{lexer(text, { gfm: true, breaks: true }).map((t, i) => <Block key={i} t={t} />)}</div>;
}
