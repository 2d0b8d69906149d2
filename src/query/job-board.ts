/** All jobs there are: questions that are answered later, and erasures of users. */
import { everybody, type Principal } from "../model-access.ts";
import type { ErasureDesk } from "./erasures.ts";
import type { JobView } from "./job-views.ts";
import type { Jobs } from "./jobs.ts";

export class JobBoard {
  readonly #jobs: Jobs;
  readonly #erasures: Pick<ErasureDesk, "list" | "find" | "forget">;
  /** See Jobs. */
  readonly submit: Jobs["submit"];

  constructor(jobs: Jobs, erasures: Pick<ErasureDesk, "list" | "find" | "forget">) {
    this.#jobs = jobs;
    this.#erasures = erasures;
    this.submit = (kind, request, asker) => jobs.submit(kind, request, asker);
  }

  /** In the order of their making, without results. */
  async list(asker: Principal = everybody): Promise<JobView[]> {
    const all = [...this.#jobs.list(asker), ...(await this.#erasures.list(asker))];
    return all.sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt));
  }

  /** The job, with its result. Throws `job_not_found`. */
  async get(id: string, asker: Principal = everybody): Promise<JobView> {
    return (await this.#erasures.find(id, asker)) ?? this.#jobs.get(id, asker);
  }

  /** Stops it, or forgets it where it has ended. Throws `job_not_found`, `erasure_under_way`. */
  async cancel(id: string, asker: Principal = everybody): Promise<JobView> {
    const erasure = await this.#erasures.find(id, asker);
    return erasure === null ? this.#jobs.cancel(id, asker) : this.#erasures.forget(erasure);
  }
}
