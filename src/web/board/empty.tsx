/** What is shown while nothing has been counted. */
import { useState } from "preact/hooks";

/** The command that posts a first event. */
export function firstCommand(origin: string): string {
  const event = JSON.stringify({ eventId: "song_123", eventType: "song_play" });
  return `curl -d '${event}' -H content-type:application/json ${origin}/events`;
}

/** How to begin. */
export function Empty() {
  const [isCopied, setCopied] = useState(false);
  const command = firstCommand(location.origin);
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    setCopied(true);
  };
  return (
    <section id="empty" aria-labelledby="empty-title">
      <h2 id="empty-title">Nothing has been counted yet</h2>
      <p>Send a first event; the board appears here by itself.</p>
      <pre>
        <code id="curl">{command}</code>
      </pre>
      <button type="button" id="copy" onClick={copy}>
        {isCopied ? "Copied" : "Copy the command"}
      </button>
    </section>
  );
}
