CREATE TABLE `merge` (
	`id` text PRIMARY KEY NOT NULL,
	`service` text NOT NULL,
	`state` text NOT NULL,
	`source` text NOT NULL,
	`target` text NOT NULL,
	`at` text NOT NULL,
	`undone_at` text,
	`detail` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `merge_by_source` ON `merge` (`source`);--> statement-breakpoint
CREATE INDEX `merge_by_target` ON `merge` (`target`);--> statement-breakpoint
CREATE UNIQUE INDEX `merge_once` ON `merge` (`source`) WHERE "merge"."state" = 'merged';