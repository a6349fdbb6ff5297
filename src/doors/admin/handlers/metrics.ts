import type { AdminHandler } from '../context.ts';

/** Prometheus' text format, version 0.0.4. */
export const showMetrics: AdminHandler = async (context) => ({
  status: 200,
  content: {
    type: 'text/plain; version=0.0.4; charset=utf-8',
    text: await context.renderMetrics(),
  },
});
