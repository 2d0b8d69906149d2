/** One who is sent boards, over a WebSocket or as an event stream, and what it may hold up. */

/** One who is sent boards. */
export interface LivePeer {
  /** Bytes given to the connection that it has not taken yet. */
  readonly unsentBytes: number;
  /** Sees to it that it is still there, and hears that the service is. */
  beat(): void;
  /** Asks it to go because the service stops. */
  dismiss(): void;
  /** Tells it that its key is not good any more, and ends it. */
  expel(): void;
  /** Closes its connection at once. */
  cut(): void;
}

export interface ClientBounds {
  /** Of one socket. */
  subscriptionsMax: number;
  /** Messages a socket's client may send from one heartbeat to the next. */
  messagesMax: number;
  /** With more than this unsent, a client is sent nothing but the latest board, later. */
  unsentBytesSoft: number;
  /** With more than this unsent, it is cut off. */
  unsentBytesMax: number;
}

export const clientBounds: ClientBounds = Object.freeze({
  subscriptionsMax: 32,
  messagesMax: 200,
  unsentBytesSoft: 256 * 1024,
  unsentBytesMax: 8 * 1024 * 1024,
});
