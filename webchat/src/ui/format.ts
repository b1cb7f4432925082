// Numbers and times as people say them.

export function tokens(n: number): string {
	return n < 1000 ? `${n}` : n < 100000 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`;
}

export function money(usd: number): string {
	if (usd === 0) return 'free';
	return usd < 0.0001 ? '< $0.0001' : `$${usd < 0.1 ? usd.toFixed(4).replace(/0{1,2}$/, '') : usd.toFixed(2)}`;
}

export function clock(iso: string): string {
	return new Date(iso).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
}

export function when(iso: string): string {
	const day = dayOf(iso);
	if (day === 'Today') return clock(iso);
	const d = new Date(iso);
	return d.toLocaleDateString(undefined, { day: 'numeric', month: 'short', ...(d.getFullYear() === new Date().getFullYear() ? {} : { year: 'numeric' }) });
}

export function bytes(n: number): string {
	return n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(1)} KB` : `${(n / 1048576).toFixed(1)} MB`;
}

export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

const DAY = 86400000;

export function dayOf(iso: string, now = new Date()): string {
	const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
	const t = new Date(iso).getTime();
	if (t >= midnight) return 'Today';
	if (t >= midnight - DAY) return 'Yesterday';
	if (t >= midnight - 6 * DAY) return 'This week';
	return new Date(iso).toLocaleDateString(undefined, { month: 'long', year: 'numeric' });
}

export function brief(v: unknown): string {
	if (v === undefined) return '';
	if (v === null || typeof v !== 'object') return String(v);
	return Object.entries(v).map(([k, x]) => `${k}: ${typeof x === 'string' ? x : JSON.stringify(x)}`).join(' · ');
}

export function whole(v: unknown): string {
	return typeof v === 'string' ? v : JSON.stringify(v, null, 2);
}

// A steady colour for a name.
export function hue(name: string): number {
	let h = 0;
	for (const ch of name) h = (h * 31 + ch.codePointAt(0)!) % 997;
	return h % 8;
}

// The server's errors are phrases; here they stand alone.
export function sentence(text: string): string {
	const t = text.trim();
	return t ? t[0]!.toUpperCase() + t.slice(1) + (/[.!?…)]$/.test(t) ? '' : '.') : '';
}
