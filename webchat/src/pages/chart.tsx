// A column for each day, as a drawing; the same figures stand in a table beside it.
import { useState } from 'preact/hooks';

export interface Day { date: string; value: number; more: string[] }

const W = 720, H = 220, BOTTOM = 30, TOP = 18, LETTER = 12.2;     // a letter of the scale, at most: where the drawing is small

// A round number that nothing exceeds: 1, 2 or 5 and zeros.
function ceiling(n: number): number {
	if (n <= 0) return 1;
	const ten = 10 ** Math.floor(Math.log10(n));
	return [1, 2, 5, 10].map((k) => k * ten).find((k) => k >= n)!;
}

const weekday = (date: string) => new Date(`${date}T00:00:00Z`).toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', timeZone: 'UTC' });

export function Columns({ name, days, heads, say }: { name: string; days: Day[]; heads: string[]; say: (n: number) => string }) {
	const [asTable, set] = useState(false);
	const top = ceiling(Math.max(...days.map((d) => d.value))), left = 14 + LETTER * Math.max(...[0, 0.5, 1].map((f) => say(top * f).length));
	const slot = (W - left) / days.length, width = Math.min(slot * 0.6, 56);
	const y = (v: number) => TOP + (H - TOP - BOTTOM) * (1 - v / top);
	const most = days.reduce((a, b) => (b.value > a.value ? b : a), days[0]!);
	return (
		<figure class="chart">
			{asTable ? (
				<div class="table" tabIndex={0} role="region" aria-label={`Table: ${name}`}>
					<table>
						<thead><tr>{heads.map((h, i) => <th key={h} scope="col" class={i ? 'to-right' : undefined}>{h}</th>)}</tr></thead>
						<tbody>{days.map((d) => <tr key={d.date}><th scope="row">{weekday(d.date)}</th><td class="to-right">{say(d.value)}</td>{d.more.map((m, i) => <td key={i} class="to-right">{m}</td>)}</tr>)}</tbody>
					</table>
				</div>
			) : (
				<svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={`${name}. The most, ${say(most.value)}, on ${weekday(most.date)}.`}>
					{[0, 0.5, 1].map((f) => (
						<g key={f}><line class="grid" x1={left} x2={W} y1={y(top * f)} y2={y(top * f)} /><text class="scale" x={left - 8} y={y(top * f) + 4} text-anchor="end">{say(top * f)}</text></g>
					))}
					{days.map((d, i) => (
						<g key={d.date}>
							<rect class="column-of" x={left + slot * i + (slot - width) / 2} y={y(d.value)} width={width} height={Math.max(y(0) - y(d.value), d.value > 0 ? 2 : 0)} rx="4"><title>{`${weekday(d.date)}: ${say(d.value)}`}</title></rect>
							<text class="scale" x={left + slot * (i + 0.5)} y={H - 8} text-anchor="middle">{weekday(d.date)}</text>
						</g>
					))}
				</svg>
			)}
			<figcaption><button type="button" class="quiet" aria-pressed={asTable} onClick={() => set(!asTable)}>{asTable ? 'Show as a chart' : 'Show as a table'}</button></figcaption>
		</figure>
	);
}
