/** Errors of who may ask under which name, how often and how much; a part of errors-table.ts. */

export const limitKinds = {
  host_not_allowed: {
    status: 421,
    title: "The service is not asked for under this name",
    hint: "Ask by address or localhost, or add the name to allowedHosts.",
  },
  tls_unusable: {
    status: 500,
    title: "The certificate can not be used",
    hint: "Give PEM files of a certificate and its own key in tlsCert and tlsKey.",
  },
};
