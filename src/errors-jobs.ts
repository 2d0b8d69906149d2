/** Errors of what takes long, and of what is taken away: a part of errors-table.ts. */
export const jobKinds = {
  too_many_jobs: {
    status: 503,
    title: "Too many jobs are known",
    hint: "Retry after the stated seconds, or DELETE jobs that are done.",
  },
  job_not_found: {
    status: 404,
    title: "There is no such job",
    hint: "Results are kept for jobResultTtlMs; ask the question again.",
  },
  erasure_under_way: {
    status: 409,
    title: "The erasure is under way",
    hint: "Wait for its end; GET /jobs/{id} says how far it is.",
  },
  result_too_large: {
    status: 500,
    title: "The result of the job is too large to keep",
    hint: "Ask for fewer rows, items or steps.",
  },
  too_many_deletes: {
    status: 503,
    title: "Too much is being deleted",
    hint: "Retry after the stated seconds; nothing was deleted.",
  },
};
