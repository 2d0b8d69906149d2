export function sampleText(): Promise<string>;
