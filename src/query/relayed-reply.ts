/** What a node passes on as it came. */

/** A reply of the upstream's that is the answer, whatever it says. */
export class RelayedReply extends Error {
  override readonly name = "RelayedReply";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: string) {
    super(`the upstream answered ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}
