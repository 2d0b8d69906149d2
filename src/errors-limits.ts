/** Errors of who may ask under which name, how often and how much; a part of errors-table.ts. */

export const limitKinds = {
  host_not_allowed: {
    status: 421,
    title: "The service is not asked for under this name",
    hint: "Ask by address or localhost, or add the name to allowedHosts.",
  },
  rate_limited: {
    status: 429,
    title: "Too much was asked in too short a time",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
  quota_exceeded: {
    status: 429,
    title: "The day's events are used up",
    hint: "Retry after the stated seconds; nothing was stored.",
  },
  too_many_connections: {
    status: 429,
    title: "Too many connections are open",
    hint: "Close some, or retry after the stated seconds.",
  },
  tls_unusable: {
    status: 500,
    title: "The certificate can not be used",
    hint: "Give PEM files of a certificate and its own key in tlsCert and tlsKey.",
  },
};
