// A key, when no link brought one.
import { useEffect, useState } from 'preact/hooks';
import { begin, problem, signIn } from '../core/auth';
import { Icon, Mark } from './icons';
import { focus } from './view';

export function SignIn() {
	const [key, setKey] = useState('');
	const [stay, setStay] = useState(false);
	const [waiting, setWaiting] = useState(false);
	useEffect(() => {
		document.title = 'Sign in · LibreFang';
		focus('key');
	}, []);
	async function submit(e: Event) {
		e.preventDefault();
		if (waiting) return;
		setWaiting(true);
		await signIn(key.trim(), stay);
		setWaiting(false);
		focus('key');
	}
	return (
		<main class="signin">
			<form onSubmit={submit} aria-labelledby="signin-title">
				<Mark />
				<h1 id="signin-title">Sign in to LibreFang</h1>
				<p class="soft">Open the one-time link that <code>librefang start</code> printed, or paste a key.</p>
				<label for="key">Key</label>
				<input id="key" type="password" autocomplete="current-password" spellcheck={false} value={key} required
					aria-invalid={!!problem.value} aria-describedby={problem.value ? 'signin-problem' : undefined}
					onInput={(e) => setKey(e.currentTarget.value)} />
				<div role="alert" id="signin-problem">
					{problem.value && <p class="problem"><Icon name="alert" /><span>{problem.value}</span></p>}
				</div>
				<label class="choice">
					<input type="checkbox" checked={stay} onChange={(e) => setStay(e.currentTarget.checked)} />
					<span>Remember it in this browser</span>
				</label>
				<button type="submit" class="solid" disabled={waiting}>{waiting ? 'Signing in…' : 'Sign in'}</button>
				<p class="soft small">The key is on the server: <code>librefang config get api_key</code></p>
			</form>
		</main>
	);
}

// The server does not answer: nothing to sign in to yet.
export function Unreachable() {
	const [waiting, setWaiting] = useState(false);
	useEffect(() => { focus('again'); }, []);
	return (
		<main class="signin">
			<form onSubmit={(e) => { e.preventDefault(); setWaiting(true); void begin().then(() => setWaiting(false)); }} aria-labelledby="signin-title">
				<Mark />
				<h1 id="signin-title">LibreFang does not answer</h1>
				<div role="alert"><p class="problem"><Icon name="alert" /><span>{problem.value}</span></p></div>
				<button type="submit" id="again" class="solid" disabled={waiting}>{waiting ? 'Trying…' : 'Try again'}</button>
			</form>
		</main>
	);
}
