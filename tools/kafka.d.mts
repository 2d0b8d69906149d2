export declare function findKafka(): { java: string; jars: string } | undefined;
