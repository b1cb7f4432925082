// Shapes of the API that the page reads, and of what it shows.

export interface Agent {
	id: string;
	name: string;
	state: string;
	description?: string;
	model_provider: string;
	model_name: string;
	auth_status?: string;
	ready?: boolean;
	session_id?: string;
	identity?: { emoji: string | null; avatar_url: string | null; color: string | null };
	last_active?: string;
	cost_24h?: number;
	sessions_24h?: number;
	tags?: string[];
}

export interface AgentDetail extends Omit<Agent, 'model_provider' | 'model_name'> {
	mode: string;
	description: string;
	system_prompt: string;
	schedule: string;
	web_search_augmentation: string;
	source_template: string | null;
	tags: string[];
	model: {
		provider: string; model: string;
		max_tokens: number | null; temperature: number | null; top_p: number | null; context_window: number | null;
	};
}

export interface Page<T> { items: T[]; total: number }

export interface SessionItem {
	session_id: string;
	message_count: number;
	created_at: string;
	label: string | null;
	title: string | null;
	active: boolean;
	is_canonical: boolean;
}

export interface FileRef { file_id: string; filename: string; content_type?: string }

export interface HistoryTool {
	name: string;
	input: unknown;
	result?: string;
	is_error?: boolean;
}

export interface HistoryMessage {
	role: 'User' | 'Assistant' | 'System';
	content: string;
	tools?: HistoryTool[];
	images?: FileRef[];
	thinking?: string;
	timestamp?: string;
}

export interface History {
	session_id: string;
	label: string | null;
	messages: HistoryMessage[];
	compacted_summary: string | null;
}

// --- what is shown -------------------------------------------------------------

export interface TextPart { kind: 'text'; text: string }
export interface ToolPart {
	kind: 'tool';
	id: string;
	name: string;
	input?: unknown;
	result?: string;
	state: 'running' | 'done' | 'failed' | 'unknown';
}
export type Part = TextPart | ToolPart;

export interface Usage { input: number; output: number; steps?: number; cost?: number | null; memories?: string[] }

export interface Item {
	key: string;
	role: 'user' | 'assistant' | 'system';
	parts: Part[];
	thinking?: string;
	images?: FileRef[];
	files?: { name: string; text: string }[];       // what the model was given of files, as words
	time?: string;
	usage?: Usage;
	// of an answer: coming, whole, ended by the reader, or not to be had
	state: 'coming' | 'done' | 'stopped' | 'failed';
	error?: string;
}

// What a turn says while it runs, whichever way it comes.
export type TurnEvent =
	| { type: 'accepted' }
	| { type: 'restart' }
	| { type: 'text'; text: string }
	| { type: 'thinking'; text: string }
	| { type: 'tool_start'; id: string; name: string }
	| { type: 'tool_input'; id: string; name: string; input: unknown }
	| { type: 'tool_result'; name: string; result?: string; failed: boolean }
	| { type: 'note'; text: string }
	| { type: 'answer'; text?: string; thinking?: string; usage?: Usage }
	| { type: 'silent' }
	| { type: 'failed'; text: string };
