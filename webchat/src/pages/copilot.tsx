// Signing in at GitHub for Copilot: a code to type there, and waiting until that was done.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, post } from '../core/api';
import { safeHref } from '../text/markdown';
import { Said, useWork } from '../ui/kit';

interface Flow { user_code: string; verification_uri: string; poll_id: string; expires_in: number; interval: number }
interface Poll { status: 'pending' | 'complete' | 'expired' | 'denied' | 'error'; interval?: number; error?: string }

const ENDS: Record<string, string> = { expired: 'The code is too old now. Begin again', denied: 'GitHub was told no' };

export function Copilot({ again }: { again: () => Promise<void> }) {
	const work = useWork(), here = useRef(true);
	const [flow, set] = useState<Flow | null>(null);
	useEffect(() => () => { here.current = false; }, []);
	const begin = () => void work.run(async () => {
		const f = await post<Flow>('/api/providers/github-copilot/oauth/start');
		set(f);
		for (let pause = f.interval; here.current;) {
			await new Promise((done) => setTimeout(done, pause * 1000));
			if (!here.current) return;
			const p = await get<Poll>(`/api/providers/github-copilot/oauth/poll/${f.poll_id}`);
			pause = p.interval ?? pause;
			if (p.status === 'pending') continue;
			set(null);
			if (p.status !== 'complete') throw new Error(ENDS[p.status] ?? p.error ?? 'GitHub refused');
			await again();
			return 'You are signed in at GitHub.';
		}
	});
	const where = flow && safeHref(flow.verification_uri);
	return (
		<div class="also">
			{flow ? <p>Type <code>{flow.user_code}</code> at {where ? <a href={where} target="_blank" rel="noopener noreferrer">{flow.verification_uri}</a> : flow.verification_uri}. This page waits.</p>
				: <button type="button" class="plain" disabled={work.busy} onClick={begin}>Sign in at GitHub</button>}
			<Said work={work} />
		</div>
	);
}
