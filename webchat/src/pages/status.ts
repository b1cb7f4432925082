// What a provider's state means: a word, and whether it can be used.
export const WORDS: Record<string, [string, string]> = {
	validated_key: ['key works', 'is-good'], configured: ['has a key', 'is-good'], configured_cli: ['signed in', 'is-good'],
	auto_detected: ['found', 'is-good'], not_required: ['needs no key', 'is-good'], invalid_key: ['key refused', 'is-bad'],
	missing: ['no key', ''], cli_not_installed: ['not installed', ''], local_offline: ['not running', ''],
};
export const usable = (status: string) => WORDS[status]?.[1] === 'is-good';

