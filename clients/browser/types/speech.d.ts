export const DEFAULT_RATE: 24000;
export const DEFAULT_WINDOW_MS: 10000;
/**
 * The fields of `open` in docs/protocol.md; what is left out is the server's default.
 * @typedef {object} SpeakFields
 * @property {string} [voice]
 * @property {string} [speaker]
 * @property {string} [emotion]
 * @property {number} [emotion_intensity]
 * @property {number} [speed]
 * @property {number} [pitch]
 * @property {number} [volume]
 * @property {string} [language]
 * @property {number} [seed]
 * @property {boolean} [words] events `word`
 * @property {boolean} [phonemes] events `phoneme`
 * @property {boolean} [visemes] events `viseme`
 * @property {"pcm_s16le" | "pcm_f32le" | "ulaw" | "alaw"} [format]
 * @property {number} [rate]
 * @property {number} [window_ms]
 * @property {number} [max_delay_ms]
 * @property {number} [max_ahead_ms]
 * @property {number} [sentence_pause_ms]
 * @property {number} [paragraph_pause_ms]
 * @property {boolean} [ssml]
 * @property {Record<string, string>} [lexicon]
 */
/** @typedef {import("./pieces.js").Text} Text */
/** @typedef {{text: string, start: number, end: number, charStart: number, charEnd: number}} Word in samples, and code points of the utterance's text */
/** @typedef {{name: string, start: number, end: number}} Span */
/** @typedef {{text: string, index: number, sample: number, charStart: number, charEnd: number}} Sentence */
/**
 * Times in milliseconds after `speak`; null when it did not come to that. `sent`: the first text was sent. `received`: the
 * first audio came. `heard`: its first sample was heard. `audible`: `heard` and the leading silence.
 * @typedef {{sent: number | null, received: number | null, heard: number | null, audible: number | null, over: number | null}} Timing
 */
/**
 * How it ended. `receipt` is the server's; `heardSamples` counts at `rate`.
 * @typedef {{outcome: "heard" | "cancelled", receipt: import("./wire.js").Done | null, timing: Timing, heardSamples: number, rate: number, leadingSilenceMs: number | null, underruns: number, underrunMs: number, cushionMs: number}} Result
 */
/**
 * All but `audio` and `receipt`, which tell what arrived, tell what is heard.
 * @typedef {{start: Timing, word: Word, viseme: Span, phoneme: Span, sentence: Sentence, heard: {samples: number, ms: number}, underrun: {ms: number}, audio: {samples: number, total: number}, receipt: import("./wire.js").Done, resumed: {samples: number}, end: Result, error: Error}} SpeechEvents
 */
/**
 * What an utterance needs of its client.
 * @typedef {{send: (fields: Record<string, unknown>) => boolean, forget: (speech: Speech) => void, now: () => number, player: import("./player.js").Player}} Link
 */
/** @extends {Emitter<SpeechEvents>} */
export class Speech extends Emitter<SpeechEvents> {
    /**
     * For the client only: `client.speak` makes them.
     * @param {Link} link
     * @param {number} ctx
     * @param {Text} text
     * @param {SpeakFields} fields
     */
    constructor(link: Link, ctx: number, text: Text, fields: SpeakFields);
    ctx: number;
    rate: number;
    /** @type {Timing} */
    timing: Timing;
    /** @type {import("./wire.js").Done | null} */
    receipt: import("./wire.js").Done | null;
    /** Whether it is over, for the listener. */
    isOver: boolean;
    /** @type {Promise<Result>} */
    finished: Promise<Result>;
    _resolve: (value: Result | PromiseLike<Result>) => void;
    _reject: (reason?: any) => void;
    _link: Link;
    _fields: {
        rate: number;
        voice?: string | undefined;
        speaker?: string | undefined;
        emotion?: string | undefined;
        emotion_intensity?: number | undefined;
        speed?: number | undefined;
        pitch?: number | undefined;
        volume?: number | undefined;
        language?: string | undefined;
        seed?: number | undefined;
        /**
         * events `word`
         */
        words?: boolean | undefined;
        /**
         * events `phoneme`
         */
        phonemes?: boolean | undefined;
        /**
         * events `viseme`
         */
        visemes?: boolean | undefined;
        format: string;
        window_ms: number;
        max_delay_ms?: number | undefined;
        max_ahead_ms?: number | undefined;
        sentence_pause_ms?: number | undefined;
        paragraph_pause_ms?: number | undefined;
        ssml?: boolean | undefined;
        lexicon?: Record<string, string> | undefined;
    };
    _decode: (bytes: Uint8Array) => Float32Array;
    _createdMs: number;
    _text: string;
    _textEnded: boolean;
    _isOpen: boolean;
    _isServed: boolean;
    _isDropped: boolean;
    _wasFlushed: boolean;
    _received: number;
    _creditedMs: number;
    _mayPause: boolean;
    _heardMs: number;
    _onset: Onset;
    _lateness: Lateness;
    _indices: {
        words: number;
        visemes: number;
        phonemes: number;
        sentence: number;
    };
    _keepAlive: number | undefined;
    /** @type {Captions<() => void>} */
    _captions: Captions<() => void>;
    _cushionMs: number;
    _track: import("./track.js").Track;
    /** Samples that the user has heard by now. */
    get heardSamples(): number;
    /** Whether the server has it. For the client only. */
    get isOpen(): boolean;
    /** Silence that it begins with, as far as is known. */
    get leadingSilenceMs(): number | null;
    /** Samples that were received. */
    get receivedSamples(): number;
    /**
     * Speak now what was written so far, finished or not.
     * @param {number | string} [id]
     */
    flush(id?: number | string): void;
    /** Stop at once, with a fade of 5 ms; tells the server how much was heard. */
    cancel(): void;
    /** There is a connection, again or for the first time: ask for what is missing. For the client only. */
    connected(): void;
    /**
     * The connection is gone; returns whether it can go on with another. For the client only.
     * @param {Error} error
     */
    lost(error: Error): boolean;
    /** @param {Error} error */
    fail(error: Error): void;
    /**
     * Take what the server says about it. For the client only.
     * @param {import("./wire.js").Message} message
     */
    receive(message: import("./wire.js").Message): void;
    /** @param {Text} text */
    _begin(text: Text): void;
    /** @param {string} text @param {boolean} end */
    _open(text: string, end: boolean): void;
    /** @param {Text} text */
    _write(text: Text): Promise<void>;
    _noteSent(): void;
    /** @param {import("./player.js").Player} player */
    _queue(player: import("./player.js").Player): import("./track.js").Track;
    /** @param {import("./wire.js").AudioFrame} frame */
    _takeAudio(frame: import("./wire.js").AudioFrame): void;
    /** @param {Float32Array} samples @param {import("./wire.js").AudioFrame} frame */
    _takeSamples(samples: Float32Array, frame: import("./wire.js").AudioFrame): void;
    /** @param {number} now */
    _measure(now: number): void;
    /** @param {import("./wire.js").SentenceMessage} message */
    _takeSentence({ index, text, sample, char_start, char_end }: import("./wire.js").SentenceMessage): void;
    /** @param {import("./wire.js").WordsMessage} message */
    _takeWords({ index, items }: import("./wire.js").WordsMessage): void;
    /** @param {import("./wire.js").SpansMessage} message */
    _takeSpans({ type, index, items }: import("./wire.js").SpansMessage): void;
    /** @param {"sentence" | "words" | "visemes" | "phonemes"} kind @param {number} index */
    _isNew(kind: "sentence" | "words" | "visemes" | "phonemes", index: number): boolean;
    /** Grant again what was rendered, in few messages. */
    _giveCredit(): void;
    /** Tell the server that somebody is still waiting to hear this: one millisecond more will do. */
    _stayAlive(): void;
    /** @param {number} agoMs */
    _started(agoMs: number): void;
    /** @param {number} samples */
    _heard(samples: number): void;
    _served(): void;
    /** @param {boolean} dropped */
    _ended(dropped: boolean): void;
}
/**
 * The fields of `open` in docs/protocol.md; what is left out is the server's default.
 */
export type SpeakFields = {
    voice?: string | undefined;
    speaker?: string | undefined;
    emotion?: string | undefined;
    emotion_intensity?: number | undefined;
    speed?: number | undefined;
    pitch?: number | undefined;
    volume?: number | undefined;
    language?: string | undefined;
    seed?: number | undefined;
    /**
     * events `word`
     */
    words?: boolean | undefined;
    /**
     * events `phoneme`
     */
    phonemes?: boolean | undefined;
    /**
     * events `viseme`
     */
    visemes?: boolean | undefined;
    format?: "pcm_s16le" | "pcm_f32le" | "ulaw" | "alaw" | undefined;
    rate?: number | undefined;
    window_ms?: number | undefined;
    max_delay_ms?: number | undefined;
    max_ahead_ms?: number | undefined;
    sentence_pause_ms?: number | undefined;
    paragraph_pause_ms?: number | undefined;
    ssml?: boolean | undefined;
    lexicon?: Record<string, string> | undefined;
};
export type Text = import("./pieces.js").Text;
/**
 * in samples, and code points of the utterance's text
 */
export type Word = {
    text: string;
    start: number;
    end: number;
    charStart: number;
    charEnd: number;
};
export type Span = {
    name: string;
    start: number;
    end: number;
};
export type Sentence = {
    text: string;
    index: number;
    sample: number;
    charStart: number;
    charEnd: number;
};
/**
 * Times in milliseconds after `speak`; null when it did not come to that. `sent`: the first text was sent. `received`: the
 * first audio came. `heard`: its first sample was heard. `audible`: `heard` and the leading silence.
 */
export type Timing = {
    sent: number | null;
    received: number | null;
    heard: number | null;
    audible: number | null;
    over: number | null;
};
/**
 * How it ended. `receipt` is the server's; `heardSamples` counts at `rate`.
 */
export type Result = {
    outcome: "heard" | "cancelled";
    receipt: import("./wire.js").Done | null;
    timing: Timing;
    heardSamples: number;
    rate: number;
    leadingSilenceMs: number | null;
    underruns: number;
    underrunMs: number;
    cushionMs: number;
};
/**
 * All but `audio` and `receipt`, which tell what arrived, tell what is heard.
 */
export type SpeechEvents = {
    start: Timing;
    word: Word;
    viseme: Span;
    phoneme: Span;
    sentence: Sentence;
    heard: {
        samples: number;
        ms: number;
    };
    underrun: {
        ms: number;
    };
    audio: {
        samples: number;
        total: number;
    };
    receipt: import("./wire.js").Done;
    resumed: {
        samples: number;
    };
    end: Result;
    error: Error;
};
/**
 * What an utterance needs of its client.
 */
export type Link = {
    send: (fields: Record<string, unknown>) => boolean;
    forget: (speech: Speech) => void;
    now: () => number;
    player: import("./player.js").Player;
};
import { Emitter } from "./emitter.js";
import { Onset } from "./onset.js";
import { Lateness } from "./cushion.js";
import { Captions } from "./captions.js";
