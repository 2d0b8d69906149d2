/** A request of a route, and what it is answered with. */
export interface RouteExample {
  /** In lower camel case, unique for its route. */
  name: string;
  summary: string;
  path?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string | number | boolean>>;
  headers?: Readonly<Record<string, string>>;
  /** A text as it is, anything else as JSON. */
  body?: unknown;
  /** Default JSON. */
  bodyType?: string;
  status: number;
  /** Absent where it is too long to be shown. */
  reply?: unknown;
  /** Default JSON. */
  replyType?: string;
}
