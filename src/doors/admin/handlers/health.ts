import type { AdminHandler } from '../context.ts';

/** The process answers: that is all "live" says. */
export const showLive: AdminHandler = () => ({
  status: 200,
  content: { json: { status: 'live' } },
});

/** Whether it should be given work; 503 lists why not. Damage with which it works goes with either. */
export const showReady: AdminHandler = (context) => {
  const reasons = [...context.findProblems(), ...context.broker.findProblems()];
  const warnings = context.broker.findWarnings();
  const more = warnings.length === 0 ? {} : { warnings };
  if (reasons.length === 0) return { status: 200, content: { json: { status: 'ready', ...more } } };
  return { status: 503, content: { json: { status: 'not ready', reasons, ...more } } };
};
