import type { AdminHandler } from '../context.ts';

export const showCluster: AdminHandler = ({ broker, ...context }) => {
  const topics = broker.topics.list();
  return {
    status: 200,
    content: {
      json: {
        storeId: broker.storeId,
        brokerId: broker.brokerId,
        version: context.version,
        doors: context.listDoors(),
        problems: [...context.findProblems(), ...broker.findProblems(), ...broker.findWarnings()],
        isOverloaded: broker.isOverloaded(),
        topicCount: topics.length,
        partitionCount: topics.reduce((sum, topic) => sum + topic.partitions.length, 0),
        groupCount: broker.listGroupCoordinators().reduce((sum, one) => sum + one.list().length, 0),
        storage: broker.storage(),
      },
    },
  };
};
