// One item of a conversation.
import { Component } from 'preact';
import { useState } from 'preact/hooks';
import { may } from '../core/auth';
import * as chat from '../core/chat';
import { textOf } from '../core/history';
import type { Agent, Item, Usage } from '../core/types';
import { Markdown } from '../text/markdown';
import { Attachments } from './attachments';
import { Avatar } from './avatar';
import { copy } from './clipboard';
import { clock, money, sentence, tokens } from './format';
import { Icon, type IconName } from './icons';
import { Tool } from './tool';
import { focus } from './view';

interface Props { item: Item; agent: Agent | undefined; last: boolean; asked: boolean; busy: boolean }

function Act({ icon, name, onClick }: { icon: IconName; name: string; onClick: () => void }) {
	return <button type="button" class="quiet square" title={name} aria-label={name} onClick={onClick}><Icon name={icon} /></button>;
}

function Copy({ text }: { text: string }) {
	const [done, setDone] = useState(false);
	return <Act icon={done ? 'check' : 'copy'} name={done ? 'Copied' : 'Copy'} onClick={() => void copy(text).then((ok) => {
		setDone(ok);
		setTimeout(() => setDone(false), 1600);
	})} />;
}

function Spent({ u }: { u: Usage }) {
	return (
		<span class="spent">
			<span title="Tokens read by the model">{tokens(u.input)} in</span>
			<span title="Tokens written by the model">{tokens(u.output)} out</span>
			{(u.steps ?? 1) > 1 && <span title="Calls of the model in this turn">{u.steps} steps</span>}
			{u.cost !== null && u.cost !== undefined && <span title="Cost of this turn">{money(u.cost)}</span>}
		</span>
	);
}

function Thinking({ text, open }: { text: string; open: boolean }) {
	return (
		<details class="fold thinking" open={open}>
			<summary><Icon name="spark" /><span>Thinking</span><Icon name="down" /></summary>
			<div class="fold-body"><Markdown text={text} /></div>
		</details>
	);
}

function Question({ item, asked, busy }: Props) {
	return (
		<article class="item question" aria-label="You">
			<h2 class="away">You</h2>
			{item.images && <Attachments list={item.images} />}
			<div class="bubble">{textOf(item)}</div>
			{item.files?.map((x, i) => (
				<details key={i} class="fold given">
					<summary><Icon name="file" /><span>{x.name}</span><Icon name="down" /></summary>
					<div class="fold-body"><pre tabIndex={0} aria-label={x.name}>{x.text}</pre></div>
				</details>
			))}
			<div class="acts">
				{item.time && <time dateTime={item.time}>{clock(item.time)}</time>}
				<Copy text={textOf(item)} />
				{asked && !busy && may('user') && <Act icon="edit" name="Edit this question" onClick={() => { chat.editing.value = true; focus('box'); }} />}
			</div>
		</article>
	);
}

function Answer({ item, agent, last, busy }: Props) {
	const coming = item.state === 'coming', name = agent?.name ?? 'Agent';
	const quiet = coming && item.parts.at(-1)?.kind !== 'text';
	return (
		<article class={`item answer is-${item.state}`} aria-label={name} aria-busy={coming}>
			<Avatar agent={agent} />
			<div class="said">
				<h2 class="away">{name}</h2>
				{item.thinking && <Thinking text={item.thinking} open={coming && !item.parts.length} />}
				{item.parts.map((p, i) => (p.kind === 'text' ? <Markdown key={i} text={p.text} /> : <Tool key={i} tool={p} />))}
				{quiet && <p class="dots" aria-hidden="true"><i /><i /><i /></p>}
				{item.images && <Attachments list={item.images} />}
				{item.state === 'failed' && <p class="problem"><Icon name="alert" /><span>{sentence(item.error ?? '')}</span></p>}
				{item.state === 'stopped' && <p class="soft small">This answer was stopped.</p>}
				{item.usage?.memories?.length ? <p class="soft small kept"><Icon name="spark" /><span>Remembered: {item.usage.memories.join(', ')}</span></p> : null}
				{!coming && (
					<div class="acts">
						{item.parts.length > 0 && <Copy text={textOf(item)} />}
						{last && !busy && may('user') && (item.state === 'done'
							? <Act icon="retry" name="Ask again" onClick={chat.retry} />
							: <button type="button" class="plain" onClick={chat.retry}><Icon name="retry" /><span>Try again</span></button>)}
						{item.time && <time dateTime={item.time}>{clock(item.time)}</time>}
						{item.usage && <Spent u={item.usage} />}
					</div>
				)}
			</div>
		</article>
	);
}

// Drawn again only when it changed: of a long conversation, one item does.
export class Message extends Component<Props> {
	override shouldComponentUpdate(p: Props) {
		const o = this.props;
		return p.item !== o.item || p.last !== o.last || p.asked !== o.asked || p.busy !== o.busy || p.agent !== o.agent;
	}
	render() {
		const { item } = this.props;
		if (item.role === 'user') return <Question {...this.props} />;
		if (item.role === 'assistant') return <Answer {...this.props} />;
		return <article class="item aside" aria-label="Note"><Markdown text={textOf(item)} /></article>;
	}
}
