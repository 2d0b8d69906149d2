/** Errors of who asks and what they may do: a part of the table in errors-table.ts. */
export const accessKinds = {
  key_required: {
    status: 401,
    title: "A key is needed",
    hint: "Send Authorization: Bearer <key>; rankstream keys create makes one.",
  },
  key_invalid: {
    status: 401,
    title: "The key is not valid",
    hint: "Check that all of it was sent; rankstream keys list shows which keys there are.",
  },
  key_expired: {
    status: 401,
    title: "The key has expired",
    hint: "Use the newer one; rankstream keys rotate gives a key a new secret.",
  },
  forbidden_scope: {
    status: 403,
    title: "The key is not for this",
    hint: "Use a key with the scope named; rankstream keys create --scope makes one.",
  },
  forbidden_event_type: {
    status: 403,
    title: "The key is not for this event type",
    hint: "Name event types that the key is for, or use one without such a limit.",
  },
  caller_invalid: {
    status: 400,
    title: "The node's word for its caller is not valid",
    hint: "Leave the header out; only nodes send it, to a service of their own version.",
  },
  identity_unavailable: {
    status: 503,
    title: "Who issues the tokens does not answer",
    hint: "Retry after the stated seconds, or use a key; the service's log says why.",
  },
  keys_unusable: {
    status: 500,
    title: "The file of keys can not be used",
    hint: "Correct it as the detail says; rankstream keys create makes one.",
  },
};
