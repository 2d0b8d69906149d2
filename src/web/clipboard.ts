/** Text for the clipboard. */

/** Puts the text there; throws where the browser won't. */
export async function copyText(text: string): Promise<void> {
  // Browsers have it on https and loopback only.
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  const { activeElement } = document;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (activeElement instanceof HTMLElement) activeElement.focus();
  if (!isCopied) throw new Error("the browser did not copy");
}

/** The text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The command that asks for an address. Where a key is needed it takes that from the variable
 * which the command line reads it from, too: a key in a command is soon in a history or a chat.
 */
export function curlCommand(address: string, needsKey: boolean): string {
  const header = needsKey ? `-H "Authorization: Bearer $RANKSTREAM_KEY" ` : "";
  return `curl ${header}${shellWord(address)}`;
}
