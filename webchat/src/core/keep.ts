// Storage that may be missing (private windows, blocked by policy): then nothing is kept.

function guarded<T>(fn: () => T, none: T): T {
	try {
		return fn();
	} catch {
		return none;
	}
}

export const keep = {
	get: (name: string) => guarded(() => sessionStorage.getItem(name) ?? localStorage.getItem(name), null),
	// for this tab, or for this browser
	set: (name: string, value: string, lasting: boolean) => guarded(() => {
		(lasting ? sessionStorage : localStorage).removeItem(name);
		(lasting ? localStorage : sessionStorage).setItem(name, value);
	}, undefined),
	drop: (name: string) => guarded(() => {
		sessionStorage.removeItem(name);
		localStorage.removeItem(name);
	}, undefined),
	// what was said and who said it; the colours may stay
	forget: () => guarded(() => {
		for (const store of [sessionStorage, localStorage])
			for (const name of Object.keys(store)) if (name.startsWith('lf-') && name !== 'lf-theme') store.removeItem(name);
	}, undefined),
};
