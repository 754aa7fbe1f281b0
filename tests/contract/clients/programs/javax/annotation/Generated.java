package javax.annotation;

/** Stands in for that of jakarta.annotation-api, the one thing that generated clients need and the generator's jar has not. */
public @interface Generated {
    String[] value();

    String comments() default "";
}
