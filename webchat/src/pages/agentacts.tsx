// What can be done with an agent as a whole, and how it is.
import { useState } from 'preact/hooks';
import * as agents from '../core/agents';
import { del, post, put } from '../core/api';
import { may } from '../core/auth';
import { go } from '../core/route';
import { Act, Dialog, Field, Said, useWork } from '../ui/kit';
import { Icon } from '../ui/icons';

interface Known { id: string; name: string; state: string; ready?: boolean }

export function State({ agent: a }: { agent: Known & { auth_status?: string } }) {
	if (a.state === 'Suspended') return <span class="badge">at rest</span>;
	if (a.state !== 'Running') return <span class="badge is-bad">{a.state.toLowerCase()}</span>;
	if (a.auth_status === 'missing') return <span class="badge is-bad">provider has no key</span>;
	return <span class="badge is-good">ready</span>;
}

function Clone({ agent: a, onClose }: { agent: Known; onClose: () => void }) {
	const work = useWork();
	const [name, setName] = useState(`${a.name}-copy`);
	return (
		<Dialog title={`Copy ${a.name}`} onClose={onClose} work={work} act="Make the copy" doing="Copying…" off={!name.trim()} onAct={async () => {
			const made = await post<{ agent_id: string; warnings: string[] }>(`/api/agents/${a.id}/clone`, { new_name: name.trim() });
			await agents.changed();
			go(`#/agents/${made.agent_id}`);
		}}>
			<Field name="Name of the copy">{(id) => <input id={id} required maxLength={64} autocomplete="off" spellcheck={false} value={name} onInput={(e) => setName(e.currentTarget.value)} />}</Field>
			<p class="soft small">It gets the settings, the tools and the identity files. What was said and remembered stays with {a.name}.</p>
		</Dialog>
	);
}

function Delete({ agent: a, onClose, then }: { agent: Known; onClose: () => void; then: () => Promise<void> }) {
	const work = useWork();
	return (
		<Dialog title={`Delete ${a.name}?`} onClose={onClose} work={work} act="Delete for good" doing="Deleting…" bad onAct={async () => {
			await del(`/api/agents/${a.id}?confirm=true`);
			await then();
			await agents.changed();
		}}>
			<p>All its conversations, what it remembers, and the files of its workspace go too. This cannot be undone.</p>
		</Dialog>
	);
}

// again: the list is asked anew; gone: where to be after it was deleted.
export function AgentActs({ agent: a, again, gone, named }: { agent: Known; again: () => Promise<void>; gone?: string; named?: boolean }) {
	const work = useWork();
	const [asked, ask] = useState<'clone' | 'delete' | null>(null);
	const resting = a.state === 'Suspended';
	const close = () => ask(null);
	const rest = () => void work.run(async () => {
		await put(`/api/agents/${a.id}/${resting ? 'resume' : 'suspend'}`);
		await Promise.all([again(), agents.changed()]);
		return resting ? `${a.name} is awake.` : `${a.name} is at rest.`;
	});
	const stop = () => void work.run(async () => `${a.name}: ${(await post<{ message: string }>(`/api/agents/${a.id}/stop`)).message.toLowerCase()}.`);
	return (
		<div class="line-acts">
			<div class="icons" role="group" aria-label={`What to do with ${a.name}`}>
				<a class={named ? 'plain' : 'quiet square'} href={`#/${a.id}`} title={`Talk with ${a.name}`} aria-label={`Talk with ${a.name}`}><Icon name="chats" />{named && <span>Talk</span>}</a>
				{may('user') && <Act icon="stop" name={`Stop what ${a.name} is doing`} onClick={stop} />}
				{may('admin') && <Act icon={resting ? 'play' : 'pause'} name={resting ? `Wake ${a.name}` : `Put ${a.name} to rest`} onClick={rest} />}
				{may('user') && <Act icon="copy" name={`Copy ${a.name}`} onClick={() => ask('clone')} />}
				{may('admin') && <Act icon="trash" name={`Delete ${a.name}`} onClick={() => ask('delete')} />}
			</div>
			<Said work={work} />
			{asked === 'clone' && <Clone agent={a} onClose={close} />}
			{asked === 'delete' && <Delete agent={a} onClose={close} then={async () => { if (gone) go(gone); else await again(); }} />}
		</div>
	);
}
