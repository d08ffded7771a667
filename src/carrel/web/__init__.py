"""Layer 7. The pages: rendered here, working without JavaScript wherever a form can do the job."""
