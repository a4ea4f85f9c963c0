/** @param text one line for people; the seconds since the program began are put before it */
export function say(text: string): void;

/** Announces a piece of work, repeats every ten seconds that it is still going on, and says how long it took. */
export function step<T>(title: string, work: () => Promise<T>): Promise<T>;
