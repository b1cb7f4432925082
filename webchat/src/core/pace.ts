// Words come faster than a long answer can be drawn anew for each of them: they are gathered, and
// the longer drawing takes, the more of them at a time.
const LEAST = 30, MOST = 1000;                  // ms

export function paced(draw: (text: string) => void) {
	let gathered = '', timer = 0, pause = LEAST;

	function flush() {
		clearTimeout(timer);
		timer = 0;
		if (!gathered) return;
		const text = gathered, began = performance.now();
		gathered = '';
		draw(text);
		setTimeout(() => { pause = Math.min(Math.max(3 * (performance.now() - began), LEAST), MOST); });
	}
	return {
		add(text: string) {
			gathered += text;
			timer ||= window.setTimeout(flush, pause);
		},
		flush,
		drop() {
			clearTimeout(timer);
			timer = 0;
			gathered = '';
			pause = LEAST;
		},
	};
}
