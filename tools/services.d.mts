/** Path of a Chromium that playwright-core can drive; undefined where there is none. */
export declare function findChromium(): string | undefined;

/** Path of a Redis server; undefined where there is none. */
export function findRedis(): string | undefined;

/** Path of kcat, a Kafka client in C that shares nothing with the one the service uses. */
export declare function findKcat(): string | undefined;

export declare function findHaproxy(): string | undefined;
export declare function findCaddy(): string | undefined;
export declare function findNginx(): string | undefined;

/** Path of Helm; nothing brings it. */
export declare function findHelm(): string | undefined;

/** Paths of Prometheus and of promtool, which comes with it. */
export declare function findPrometheus(): { server: string; promtool: string } | undefined;

/** Paths of Alertmanager and of its amtool. */
export declare function findAlertmanager(): { server: string; amtool: string } | undefined;

/** Folder of PostgreSQL's server programs: postgres, initdb, psql. */
export declare function findPostgres(): string | undefined;

/** Path of versitygw, a server that speaks S3. */
export declare function findVersitygw(): string | undefined;

/** Path of schemathesis' program `st`. */
export declare function findSchemathesis(): string | undefined;
