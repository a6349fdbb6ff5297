import type { ApiRoute } from './api.ts';
import { bindingRoutes } from './handlers/bindings.ts';
import { connectionRoutes } from './handlers/connections.ts';
import { definitionRoutes } from './handlers/definitions.ts';
import { deprecatedFeatureRoutes } from './handlers/deprecated-features.ts';
import { exchangeRoutes } from './handlers/exchanges.ts';
import { healthRoutes } from './handlers/health.ts';
import { overviewRoutes } from './handlers/overview.ts';
import { parameterRoutes } from './handlers/parameters.ts';
import { permissionRoutes } from './handlers/permissions.ts';
import { policyRoutes } from './handlers/policies.ts';
import { queueMessageRoutes } from './handlers/queue-messages.ts';
import { queueRoutes } from './handlers/queues.ts';
import { userRoutes } from './handlers/users.ts';
import { vhostRoutes } from './handlers/vhosts.ts';

/** Everything that this door serves. */
export const routes: readonly ApiRoute[] = [
  ...overviewRoutes,
  ...deprecatedFeatureRoutes,
  ...definitionRoutes,
  ...connectionRoutes,
  ...exchangeRoutes,
  ...queueRoutes,
  ...queueMessageRoutes,
  ...bindingRoutes,
  ...vhostRoutes,
  ...userRoutes,
  ...permissionRoutes,
  ...parameterRoutes,
  ...policyRoutes,
  ...healthRoutes,
];
