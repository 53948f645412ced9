/** In the environment of all processes of an attempt, so that orphans can be told from strangers. */
export const ATTEMPT_VARIABLE = "LIGHTERMAN__ATTEMPT";

/** The same for what the attempt's pull steps start, before the flow's own process. */
export const STEPS_VARIABLE = "LIGHTERMAN__STEPS";
