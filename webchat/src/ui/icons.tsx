// Line drawings of 20 by 20. They only decorate: each stands beside or inside something with a name.
const PATHS = {
	plus: 'M10 4.5v11M4.5 10h11',
	send: 'M10 15.5v-11M5.5 9l4.5-4.5L14.5 9',
	stop: 'M6 6h8v8H6z',
	retry: 'M15.5 10a5.5 5.5 0 1 1-1.7-4M14 2.8V6.2h-3.4',
	edit: 'M4 16l.8-3.4L12.9 4.5a1.5 1.5 0 0 1 2.1 0l.5.5a1.5 1.5 0 0 1 0 2.1L7.4 15.2 4 16z',
	copy: 'M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3',
	check: 'M4.5 10.5l3.5 3.5 7.5-8',
	cross: 'M5.5 5.5l9 9M14.5 5.5l-9 9',
	search: 'M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10zM12.7 12.7L16 16',
	menu: 'M3.5 6h13M3.5 10h13M3.5 14h13',
	down: 'M5.5 8l4.5 4.5L14.5 8',
	arrow: 'M10 4.5v11M5.5 11l4.5 4.5 4.5-4.5',
	sun: 'M10 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM10 2.5v1.7M10 15.8v1.7M2.5 10h1.7M15.8 10h1.7M4.7 4.7l1.2 1.2M14.1 14.1l1.2 1.2M4.7 15.3l1.2-1.2M14.1 5.9l1.2-1.2',
	moon: 'M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5z',
	auto: 'M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.5 6.5 0 0 1 0 13',
	leave: 'M8 4H4.5v12H8M12.5 6.5L16 10l-3.5 3.5M16 10H8',
	tool: 'M12.2 3.7a4 4 0 0 0-4.6 5.4L3.7 13a1.7 1.7 0 0 0 0 2.4l.9.9a1.7 1.7 0 0 0 2.4 0l3.9-3.9a4 4 0 0 0 5.4-4.6l-2.3 2.3-2.6-.7-.7-2.6z',
	file: 'M5.5 3.5h6l3.5 3.5v9.5h-9.5zM11.5 3.5V7H15',
	alert: 'M10 6v5M10 13.8v.2M10 3.2l7.3 13H2.7z',
	people: 'M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 16.5c.4-3 2.4-4.5 5-4.5s4.6 1.5 5 4.5M13 4a2.7 2.7 0 0 1 0 5.2M14.6 12.3c1.6.6 2.6 2 2.9 4.2',
	chats: 'M3 4h10v7.5H7.5L4.5 14v-2.5H3zM15.5 7.5H17V15h-1.5v2.2L12.8 15H9.5',
	chip: 'M5.5 5.5h9v9h-9zM8.3 8.3h3.4v3.4H8.3zM8 5.5V3M12 5.5V3M8 17v-2.5M12 17v-2.5M5.5 8H3M5.5 12H3M17 8h-2.5M17 12h-2.5',
	chart: 'M3.5 3.5v13h13M7 13.5v-3M10.5 13.5v-7M14 13.5V9',
	pause: 'M7 5v10M13 5v10',
	play: 'M6.5 4.5l9 5.5-9 5.5z',
	trash: 'M4 6h12M8 6V4h4v2M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v4.5M11.5 9v4.5',
	clip: 'M15.5 9.5l-5.6 5.6a3.3 3.3 0 0 1-4.7-4.7l6-6a2.2 2.2 0 0 1 3.1 3.1l-6 6a1.1 1.1 0 0 1-1.5-1.5l5.4-5.5',
	load: 'M10 3.5v9M6 9l4 4 4-4M4 16.5h12',
	lift: 'M10 13V4M6 7.5l4-4 4 4M4 16.5h12',
	back: 'M15.5 10h-11M9 5.5L4.5 10 9 14.5',
	eye: 'M2.5 10S5.5 5 10 5s7.5 5 7.5 5-3 5-7.5 5-7.5-5-7.5-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
	gear: 'M4 6h7M15 6h1M13 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM4 14h1M9 14h7M7 16a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
	key: 'M7 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10.5 10H17v3M14 10v2',
	spark: 'M10 3.5l1.6 4.9 4.9 1.6-4.9 1.6L10 16.5l-1.6-4.9L3.5 10l4.9-1.6z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
	return (
		<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
			<path d={PATHS[name]} fill={name === 'stop' ? 'currentColor' : 'none'} stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" />
		</svg>
	);
}

export function Mark() {
	return (
		<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
			<rect width="32" height="32" rx="9" fill="var(--accent-solid)" />
			<path fill="var(--on-accent)" d="M9.3 6.5c4.5 1.3 9.3 1.3 13.6 0 .9-.3 1.7.5 1.5 1.4-1.5 8.3-5.8 14.4-12.7 18-.8.4-1.7-.4-1.4-1.2 2.3-5.7 1.8-11-2.3-16.6-.6-.8.3-1.9 1.3-1.6z" />
		</svg>
	);
}
