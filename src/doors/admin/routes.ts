import type { Route } from './context.ts';
import { showCluster } from './handlers/cluster.ts';
import { deleteGroup, describeGroup, listGroups } from './handlers/groups.ts';
import { showLive, showReady } from './handlers/health.ts';
import { homeHandler, showOpenApi } from './handlers/home.ts';
import { browseMessages, publishMessages } from './handlers/messages.ts';
import { showMetrics } from './handlers/metrics.ts';
import {
  peekMessages,
  receiveMessages,
  sendMessages,
  settleMessages,
} from './handlers/queue-messages.ts';
import {
  changeQueue,
  createQueue,
  deleteQueue,
  describeQueue,
  listQueues,
  listSubscriptions,
  purgeQueue,
  retryDamaged,
  rewindQueue,
} from './handlers/queues.ts';
import {
  changeTopic,
  createTopic,
  deleteTopic,
  describeTopic,
  listTopics,
} from './handlers/topics.ts';
import { userRoutes } from './handlers/users.ts';

const apiRoutes: readonly Route[] = [
  { method: 'GET', path: '/health/live', handle: showLive },
  { method: 'GET', path: '/health/ready', handle: showReady },
  { method: 'GET', path: '/metrics', handle: showMetrics },
  { method: 'GET', path: '/openapi.json', handle: showOpenApi },
  { method: 'GET', path: '/api/v1/cluster', handle: showCluster },
  { method: 'GET', path: '/api/v1/topics', handle: listTopics },
  { method: 'POST', path: '/api/v1/topics', handle: createTopic },
  { method: 'GET', path: '/api/v1/topics/{name}', handle: describeTopic },
  { method: 'PATCH', path: '/api/v1/topics/{name}', handle: changeTopic },
  { method: 'DELETE', path: '/api/v1/topics/{name}', handle: deleteTopic },
  { method: 'GET', path: '/api/v1/topics/{name}/messages', handle: browseMessages },
  { method: 'POST', path: '/api/v1/topics/{name}/messages', handle: publishMessages },
  { method: 'GET', path: '/api/v1/topics/{name}/subscriptions', handle: listSubscriptions },
  { method: 'GET', path: '/api/v1/queues', handle: listQueues },
  { method: 'POST', path: '/api/v1/queues', handle: createQueue },
  { method: 'GET', path: '/api/v1/queues/{name}', handle: describeQueue },
  { method: 'PATCH', path: '/api/v1/queues/{name}', handle: changeQueue },
  { method: 'DELETE', path: '/api/v1/queues/{name}', handle: deleteQueue },
  { method: 'POST', path: '/api/v1/queues/{name}/purge', handle: purgeQueue },
  { method: 'POST', path: '/api/v1/queues/{name}/retry-damaged', handle: retryDamaged },
  { method: 'POST', path: '/api/v1/queues/{name}/rewind', handle: rewindQueue },
  { method: 'GET', path: '/api/v1/queues/{name}/messages', handle: peekMessages },
  { method: 'POST', path: '/api/v1/queues/{name}/messages', handle: sendMessages },
  { method: 'POST', path: '/api/v1/queues/{name}/receive', handle: receiveMessages },
  { method: 'POST', path: '/api/v1/queues/{name}/settle', handle: settleMessages },
  { method: 'GET', path: '/api/v1/groups', handle: listGroups },
  { method: 'GET', path: '/api/v1/groups/{id}', handle: describeGroup },
  { method: 'DELETE', path: '/api/v1/groups/{id}', handle: deleteGroup },
  ...userRoutes,
];

/** Everything that this door serves; /openapi.json describes each of them. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/', handle: homeHandler(apiRoutes) },
  ...apiRoutes,
];
